#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: ./quickstart.sh [--once | --farm]
# Shows rblmilter at work, on a Debian 12 as root: installs what is needed, builds, starts
# a Postfix of its own, two DNS lists (rbldnsd) and rblmilter on loopback in a temporary
# folder, and sends four mails. Then it runs until Ctrl-C; with --once it ends after the
# show. With --farm it shows one blocklist on three hosts that share it by a PostgreSQL of
# its own, and ends. Exit status 0 only if all went as it should. An installed Postfix or
# PostgreSQL is not touched.
set -u
cd "$(dirname "$0")" || exit 1
# shellcheck source=tests/packages.sh
. tests/packages.sh

what=${1:-}
case "$what" in
'' | --once | --farm) ;;
*)
    echo "usage: ./quickstart.sh [--once | --farm]"
    exit 2
    ;;
esac
if [ "$(id -u)" != 0 ]; then
    echo "quickstart.sh: run it as root: Postfix's master can only be started by root"
    exit 1
fi

dir=$(mktemp -d /tmp/rblmilter-quickstart-XXXXXX) || exit 1
chmod 755 "$dir"
failures=0
rbldnsd_pid=
milter_pids=()
milter_ports=()
smtp_ports=()

bold='' plain=''
[ ! -t 1 ] || bold=$'\033[1m' plain=$'\033[0m'
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

give_up() {
    echo "quickstart.sh: $1"
    [ ! -f "${2:-}" ] || tail -n 30 "$2"
    exit 1
}

clean_up() {
    [ ! -d "$dir/postfix/queue/pid" ] || postfix -c "$dir/postfix" stop >/dev/null 2>&1
    [ ${#milter_pids[@]} = 0 ] || kill "${milter_pids[@]}" 2>/dev/null
    [ -z "$rbldnsd_pid" ] || kill "$rbldnsd_pid" 2>/dev/null
    wait
    [ ! -f "$dir/postgres/data/postmaster.pid" ] || as_postgres pg_ctl -m immediate stop
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# Prints the first line of a file that fits, as soon as it is there.
wait_for_line() { # wait_for_line FILE REGEX
    local i
    for ((i = 0; i < 200; i++)); do
        grep -E -m 1 -- "$2" "$1" 2>/dev/null && return 0
        sleep 0.05
    done
    return 1
}

# A port of loopback where nobody listens.
free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo $port
}

wait_for_port() { # wait_for_port PORT
    local i
    for ((i = 0; i < 200; i++)); do
        (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
        sleep 0.05
    done
    return 1
}

# --- build ---

build() {
    # A tree that was configured in place can only be built there.
    if [ -f config.status ]; then
        tree=.
    else
        tree=build/quickstart
        mkdir -p $tree
        [ -f configure ] || autoreconf -fi
        [ -f $tree/Makefile ] || (cd $tree && ../../configure -q) || return 1
    fi >>"$dir/build.log" 2>&1
    make -s -C $tree -j"$(nproc)" >>"$dir/build.log" 2>&1
}

# --- two DNS lists: one of clients, one of sender domains ---

start_lists() {
    dns_port=$(free_port)
    mkdir "$dir/lists"
    cat >"$dir/lists/clients" <<'EOF'
$SOA 300 ns.clients.test root.clients.test 1 600 300 86400 300
:127.0.0.2:$ was seen sending spam, see https://clients.test/why/$
127.0.0.2
192.0.2.1
:127.0.0.4:$ is a home connection
192.0.2.4
EOF
    cat >"$dir/lists/domains" <<'EOF'
$SOA 300 ns.domains.test root.domains.test 1 600 300 86400 300
:127.0.0.2:$ is advertised in spam
test
.spammer.example
EOF
    setsid rbldnsd -n -u nobody -b "127.0.0.1/$dns_port" -w "$dir/lists" \
        clients.test:ip4set:clients domains.test:dnset:domains >"$dir/rbldnsd.log" 2>&1 &
    rbldnsd_pid=$!
}

# --- a PostgreSQL: by its socket alone, where the daemons' user is the role rblmilter ---

as_postgres() { # as_postgres initdb|pg_ctl ARGUMENT...
    local programs=(/usr/lib/postgresql/*/bin)
    (cd / && runuser -u postgres -- "${programs[-1]}/$1" -D "$dir/postgres/data" "${@:2}") \
        >>"$dir/postgres.log" 2>&1
}

start_postgres() {
    install -d -o postgres "$dir/postgres" || return 1
    as_postgres initdb -A peer -U postgres -E UTF8 --locale=C.UTF-8 --no-sync || return 1
    echo "local all all peer map=show" >"$dir/postgres/data/pg_hba.conf"
    printf 'show %s\n' "root postgres" "postgres postgres" "nobody rblmilter" \
        >"$dir/postgres/data/pg_ident.conf"
    cat >>"$dir/postgres/data/postgresql.conf" <<EOF
listen_addresses = ''
unix_socket_directories = '$dir/postgres'
EOF
    as_postgres pg_ctl -w start
}

# --- rblmilter ---

# In the folder NAME; more of its conf file comes from standard input.
start_rblmilter() { # start_rblmilter NAME
    local port
    port=$(free_port)
    mkdir "$dir/$1"
    chown nobody "$dir/$1"
    {
        cat <<EOF
user = "nobody"
milter { socket = "inet:$port@127.0.0.1" }
blocklist { database = "$dir/$1/blocklist.db" }
journal { directory = "$dir/$1/journal" }
log { target = "stderr" }
control { socket = "$dir/$1/control.sock" }
EOF
        cat
    } >"$dir/$1.conf"
    $tree/rblmilter -t -c "$dir/$1.conf" >/dev/null || return 1
    setsid $tree/rblmilter -c "$dir/$1.conf" 2>"$dir/$1.log" &
    milter_pids+=($!)
    milter_ports+=("$port")
    wait_for_port "$port"
}

start_with_lists() {
    start_rblmilter rblmilter <<EOF
resolver { servers = { "127.0.0.1:$dns_port" } }
list "clients" {
  zone  = "clients.test"
  check = { "client" }
  codes "127.0.0.2" { label = "spam"  weight = 8 }
  codes "127.0.0.4" { label = "home"  weight = 4 }
}
list "domains" {
  zone   = "domains.test"
  check  = { "sender-domain" }
  weight = 8
}
verdict { reject = 8  tag = 4 }
EOF
}

start_farm() {
    local host database="host=$dir/postgres dbname=postgres"
    $tree/rblctl farm init "$database user=postgres" >"$dir/mx1.log" 2>&1 || return 1
    for host in mx1 mx2 mx3; do
        start_rblmilter $host <<EOF || return 1
farm { database = "$database user=rblmilter"  node = "$host" }
EOF
    done
}

# --- Postfix: XCLIENT lets us be any client, mail goes to a folder ---

# Each rblmilter has a port of Postfix of its own.
start_postfix() {
    local i
    for i in "${!milter_ports[@]}"; do
        smtp_ports+=("$(free_port)")
    done
    mkdir -p "$dir/postfix/queue" "$dir/postfix/data" "$dir/mail"
    chown postfix "$dir/postfix/data"
    chown nobody "$dir/mail"
    cat >"$dir/postfix/main.cf" <<EOF
compatibility_level = 3.7
multi_instance_name = postfix-quickstart
queue_directory = $dir/postfix/queue
data_directory = $dir/postfix/data
maillog_file = $dir/maillog
maillog_file_prefixes = $dir
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = example.org
virtual_mailbox_base = $dir/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
alias_maps =
default_transport = discard:
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.0/8
EOF
    cat >"$dir/postfix/master.cf" <<EOF
postlog unix-dgram n - n - 1 postlogd
pickup  unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr    unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce  unix - - n - 0 bounce
defer   unix - - n - 0 bounce
trace   unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error   unix - - n - - error
retry   unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil   unix - - n - 1 anvil
EOF
    for i in "${!milter_ports[@]}"; do
        echo "127.0.0.1:${smtp_ports[i]} inet n - n - - smtpd" \
            "-o smtpd_milters=inet:127.0.0.1:${milter_ports[i]}"
    done >>"$dir/postfix/master.cf"
    postfix -c "$dir/postfix" start >"$dir/postfix.log" 2>&1 && wait_for_port "${smtp_ports[-1]}"
}

# --- the show ---

# Sends a mail as that client, to the first host or another; shows the SMTP session from
# MAIL on.
send() { # send CLIENT SENDER [HOST]
    swaks --server 127.0.0.1 --port "${smtp_ports[${3:-1} - 1]}" --xclient "ADDR=$1 NAME=[UNAVAILABLE]" \
        --helo client.example --from "$2" --to anna@example.org \
        --header "Subject: from $1" --body "Hello" >"$dir/swaks.log" 2>&1
    grep -E '^( ->|<-|<\*\*)' "$dir/swaks.log" | sed -n '/MAIL FROM/,/^<.*250 .*queued\|^<\*\* /p' |
        tr -d '\r' | grep -vE '^ -> *($|Date:|To:|From:|Message-Id:|X-Mailer:)' | sed 's/^/    /'
}

# Looks for a line, shows it (where it was not shown already, as a session's own), and counts
# what is missing as a failure.
expect() { # expect WHAT FILE REGEX
    local line
    if line=$(wait_for_line "$2" "$3"); then
        [[ $2 = */swaks.log || $2 = */rblctl.log ]] || printf '  %s\n    %s\n' "$1" "$line"
    else
        printf '  %s\n    MISSING: no line fits %s\n' "$1" "$3"
        failures=$((failures + 1))
    fi
}

show() {
    say "1. A clean mail is delivered"
    send 192.0.2.10 anna@clean.example
    expect "Postfix's log:" "$dir/maillog" 'to=<anna@example.org>.*status=sent'
    expect "rblmilter's log:" "$dir/rblmilter.log" 'accept: client=.*\[192\.0\.2\.10\]'

    say "2. A client that a list names is refused"
    send 192.0.2.1 anna@clean.example
    expect "the reply:" "$dir/swaks.log" \
        '554 5\.7\.1 Service unavailable; Client host \[192\.0\.2\.1\] blocked using clients; 192\.0\.2\.1 was seen'
    refused_id=$(grep -oE '\[[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\]' "$dir/swaks.log" | tr -d '[]' | tail -n 1)
    expect "Postfix's log:" "$dir/maillog" 'milter-reject: RCPT from .*\[192\.0\.2\.1\]: 554 5\.7\.1'
    expect "rblmilter's log:" "$dir/rblmilter.log" 'reject: client=.*\[192\.0\.2\.1\].*clients\(127\.0\.0\.2:8\)'

    say "3. A sender whose domain is listed is refused"
    send 192.0.2.10 bob@mail.spammer.example
    expect "the reply:" "$dir/swaks.log" \
        '554 5\.7\.1 Service unavailable; Sender domain \[mail\.spammer\.example\] blocked using domains'
    expect "Postfix's log:" "$dir/maillog" 'milter-reject: RCPT from .*Sender domain'
    expect "rblmilter's log:" "$dir/rblmilter.log" 'reject: .*domains\(127\.0\.0\.2:8\)'

    say "4. A client with half the score is let in, and the mail tagged"
    send 192.0.2.4 anna@clean.example
    expect "rblmilter's log:" "$dir/rblmilter.log" 'tag: client=.*\[192\.0\.2\.4\].*clients\(127\.0\.0\.4:4\)'
    expect "Postfix's log:" "$dir/maillog" 'client=.*\[192\.0\.2\.4\]'
    tagged_mail

    say "5. Why was the second one refused? Ask by the id in its reply"
    echo "  rblctl why $refused_id"
    $tree/rblctl -s "$dir/rblmilter/control.sock" why "$refused_id" 2>&1 |
        tee "$dir/why.log" | sed 's/^/    /'
    expect "in it:" "$dir/why.log" 'clients +192\.0\.2\.1 +127\.0\.0\.2 +8'
}

# The mail with the tag, once it has arrived.
tagged_mail() {
    local i mail=
    for ((i = 0; i < 200; i++)); do
        mail=$(grep -ls '^Subject: from 192.0.2.4' "$dir"/mail/inbox/new/*) && break
        sleep 0.05
    done
    expect "headers of the mail:" "${mail:-/dev/null}" '^X-RBL-Score: 4'
    expect "and:" "${mail:-/dev/null}" '^X-RBL-Lists: .*clients'
}

# --- the show of a farm ---

# Shows a command on mx1, mx2 or mx3, and what it says.
on_host() { # on_host NUMBER ARGUMENT...
    echo "  on mx$1: rblctl ${*:2}"
    $tree/rblctl -s "$dir/mx$1/control.sock" "${@:2}" 2>&1 | tee "$dir/rblctl.log" | sed 's/^/    /'
}

# Until all three know of all.
wait_for_farm() {
    local i host
    for host in mx1 mx2 mx3; do
        for ((i = 0; i < 400; i++)); do
            [ "$($tree/rblctl -s "$dir/$host/control.sock" farm 2>&1 | grep -c equal)" != 3 ] || continue 2
            sleep 0.05
        done
        return 1
    done
}

show_farm() {
    local i sender=bob@bulk.example

    say "1. Three hosts share one blocklist"
    on_host 1 farm

    say "2. A sender is listed on mx1, and refused on mx2 and mx3"
    on_host 1 add $sender --reason "bulk mail" --wait
    expect "on all:" "$dir/rblctl.log" '3 of 3 hosts have it'
    for i in 2 3; do
        echo "  a mail to mx$i:"
        send 192.0.2.10 $sender $i
        expect "the reply:" "$dir/swaks.log" '554 5\.7\.1 .*bob@bulk\.example'
    done

    say "3. It is removed on mx3, and let in by mx1 and mx2"
    on_host 3 remove $sender --wait
    expect "on all:" "$dir/rblctl.log" '3 of 3 hosts have it'
    for i in 1 2; do
        echo "  a mail to mx$i:"
        send 192.0.2.10 $sender $i
        expect "the reply:" "$dir/swaks.log" '250 .*queued'
    done

    say "4. Who did that? Ask mx2"
    on_host 2 log $sender
    expect "listed:" "$dir/rblctl.log" '@mx1 add '
    expect "removed:" "$dir/rblctl.log" '@mx3 remove '
}

# Ends with status 1 where something was not as it should be.
judge() { # judge WORDS LOG...
    echo
    if [ $failures != 0 ]; then
        echo "$failures things were not as they should be; rblmilter's log:"
        cat "${@:2}"
        exit 1
    fi
    echo "$1"
}

how_to_go_on() {
    say "How to go on"
    cat <<EOF
  All of it runs until Ctrl-C, in $dir.
  Be any client you like (192.0.2.1 and 192.0.2.4 are listed):
    swaks --server 127.0.0.1:${smtp_ports[0]} --xclient 'ADDR=192.0.2.1' --from a@b.example --to anna@example.org
  List a sender, and try again with that sender; ask why:
    $tree/rblctl -s $dir/rblmilter/control.sock add bob@b.example --reason "bulk mail"
    $tree/rblctl -s $dir/rblmilter/control.sock why bob@b.example
  How the lists are doing:
    $tree/rblctl -s $dir/rblmilter/control.sock dnsbl
  The conf file: $dir/rblmilter.conf     the logs: $dir/rblmilter.log, $dir/maillog
  Into your own Postfix: docs/postfix.md; which lists to use: docs/lists.md
EOF
}

say "Installing what is needed, and building"
packages=(rbldnsd)
[ "$what" != --farm ] || packages=(postgresql-15)
install_packages "$dir/apt.log" "${build_packages[@]}" postfix swaks "${packages[@]}" ||
    give_up "the packages could not be installed"
build || give_up "the build failed" "$dir/build.log"

if [ "$what" = --farm ]; then
    start_postgres || give_up "PostgreSQL does not start" "$dir/postgres.log"
    start_farm || give_up "rblmilter does not start" "$dir/mx1.log"
    start_postfix || give_up "Postfix does not start" "$dir/maillog"
    wait_for_farm || give_up "the three hosts do not find each other" "$dir/mx1.log"
    show_farm
    judge "All went as it should. A farm of your own: docs/farm.md" "$dir"/mx?.log
    exit 0
fi

start_lists
start_with_lists || give_up "rblmilter does not start" "$dir/rblmilter.log"
start_postfix || give_up "Postfix does not start" "$dir/maillog"
show
judge "All five went as they should." "$dir/rblmilter.log"
if [ -z "$what" ]; then
    how_to_go_on
    trap 'exit 0' INT TERM
    wait "${milter_pids[0]}"
fi
