# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The Debian 12 packages that check.sh and quickstart.sh need, and how they are installed.

# shellcheck disable=SC2034 # for those who source this file
build_packages=(build-essential autoconf automake autoconf-archive pkg-config libmilter-dev
    libc-ares-dev libconfuse-dev libsqlite3-dev libjansson-dev libsmartcols-dev uthash-dev
    libpsl-dev libidn2-dev nettle-dev libsystemd-dev libpq-dev publicsuffix)

# Installs what is missing; the words of apt-get go to LOG. No service that a package
# brings is started, Postfix stays unconfigured, and PostgreSQL gets no database: whoever
# needs one starts their own.
install_packages() { # install_packages LOG PACKAGE...
    local log=$1 package missing=() policy=/usr/sbin/policy-rc.d made='' rc
    local no_database=/etc/postgresql-common/createcluster.d/rblmilter.conf
    shift
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "missing, and only root can install them: ${missing[*]}"
        return 1
    fi
    echo "installing ${missing[*]}"
    if [ ! -e $policy ]; then
        made=1
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
    fi
    mkdir -p "${no_database%/*}"
    echo 'create_main_cluster = false' >"$no_database"
    export DEBIAN_FRONTEND=noninteractive
    {
        echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
        apt-get update -q
        apt-get install -q -y --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1
    rc=$?
    [ -z "$made" ] || rm -f $policy
    rm -f "$no_database"
    rmdir -p "${no_database%/*}" 2>/dev/null # where PostgreSQL was none of them
    [ $rc = 0 ] || tail -n 20 "$log"
    return $rc
}

# Unpacks packages that conflict with installed ones, as sendmail's do with Postfix, into
# FOLDER, once. Nothing of them is installed, no script of theirs is run.
unpack_packages() { # unpack_packages FOLDER PACKAGE...
    local folder=$1 file
    shift
    [ ! -e "$folder/unpacked" ] || return 0
    rm -rf "$folder"
    mkdir -p "$folder/packages"
    (
        cd "$folder/packages" || exit
        apt-get download -q "$@" || { apt-get update -q && apt-get download -q "$@"; }
    ) || return
    for file in "$folder"/packages/*.deb; do
        dpkg -x "$file" "$folder" || return
    done
    touch "$folder/unpacked"
}
