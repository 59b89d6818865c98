#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: ./quickstart.sh [--once]
# Shows rblmilter at work, on a Debian 12 as root: installs what is needed, builds, starts
# a Postfix of its own, two DNS lists (rbldnsd) and rblmilter on loopback in a temporary
# folder, and sends four mails. Then it runs until Ctrl-C; with --once it ends after the
# show. Exit status 0 only if all four went as they should. An installed Postfix is not
# touched.
set -u
cd "$(dirname "$0")" || exit 1
# shellcheck source=tests/packages.sh
. tests/packages.sh

once=
case "${1:-}" in
'') ;;
--once) once=1 ;;
*)
    echo "usage: ./quickstart.sh [--once]"
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
milter_pid=

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
    [ -z "$milter_pid" ] || kill "$milter_pid" 2>/dev/null
    [ -z "$rbldnsd_pid" ] || kill "$rbldnsd_pid" 2>/dev/null
    wait
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

# --- rblmilter ---

start_rblmilter() {
    milter_port=$(free_port)
    mkdir "$dir/rblmilter"
    chown nobody "$dir/rblmilter"
    cat >"$dir/rblmilter.conf" <<EOF
user = "nobody"
milter { socket = "inet:$milter_port@127.0.0.1" }
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
blocklist { database = "$dir/rblmilter/blocklist.db" }
journal { directory = "$dir/rblmilter/journal" }
log { target = "stderr" }
control { socket = "$dir/rblmilter/control.sock" }
EOF
    $tree/rblmilter -t -c "$dir/rblmilter.conf" >/dev/null || return 1
    setsid $tree/rblmilter -c "$dir/rblmilter.conf" 2>"$dir/rblmilter.log" &
    milter_pid=$!
    wait_for_port "$milter_port"
}

# --- Postfix: XCLIENT lets us be any client, mail goes to a folder ---

start_postfix() {
    smtp_port=$(free_port)
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
smtpd_milters = inet:127.0.0.1:$milter_port
EOF
    cat >"$dir/postfix/master.cf" <<EOF
127.0.0.1:$smtp_port inet n - n - - smtpd
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
    postfix -c "$dir/postfix" start >"$dir/postfix.log" 2>&1 && wait_for_port "$smtp_port"
}

# --- the show ---

# Sends a mail as that client; shows the SMTP session from MAIL on.
send() { # send CLIENT SENDER
    swaks --server 127.0.0.1 --port "$smtp_port" --xclient "ADDR=$1 NAME=[UNAVAILABLE]" \
        --helo client.example --from "$2" --to anna@example.org \
        --header "Subject: from $1" --body "Hello" >"$dir/swaks.log" 2>&1
    grep -E '^( ->|<-|<\*\*)' "$dir/swaks.log" | sed -n '/MAIL FROM/,/^<.*250 .*queued\|^<\*\* /p' |
        grep -vE '^ -> *($|Date:|To:|From:|Message-Id:|X-Mailer:)' | sed 's/^/    /'
}

# Looks for a line, shows it (the session's own were shown already), and counts what is
# missing as a failure.
expect() { # expect WHAT FILE REGEX
    local line
    if line=$(wait_for_line "$2" "$3"); then
        [ "$2" = "$dir/swaks.log" ] || printf '  %s\n    %s\n' "$1" "$line"
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

how_to_go_on() {
    say "How to go on"
    cat <<EOF
  All of it runs until Ctrl-C, in $dir.
  Be any client you like (192.0.2.1 and 192.0.2.4 are listed):
    swaks --server 127.0.0.1:$smtp_port --xclient 'ADDR=192.0.2.1' --from a@b.example --to anna@example.org
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
install_packages "$dir/apt.log" "${build_packages[@]}" postfix rbldnsd swaks ||
    give_up "the packages could not be installed"
build || give_up "the build failed" "$dir/build.log"
start_lists
start_rblmilter || give_up "rblmilter does not start" "$dir/rblmilter.log"
start_postfix || give_up "Postfix does not start" "$dir/maillog"
show
echo
if [ $failures != 0 ]; then
    echo "$failures things were not as they should be; rblmilter's log:"
    cat "$dir/rblmilter.log"
    exit 1
fi
echo "All five went as they should."
if [ -z "$once" ]; then
    how_to_go_on
    trap 'exit 0' INT TERM
    wait $milter_pid
fi
