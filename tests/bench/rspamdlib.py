# SPDX-License-Identifier: BSD-2-Clause
"""rspamd with nothing but its RBL module, as a milter that scans by itself."""

import os
import subprocess
import time

import benchlib

CONF = """
options {{
  filters = "";
  tempdir = "{dir}";
  cache_file = "{dir}/symbols.cache";
  control_socket = "{dir}/rspamd.control mode=0600";
  url_tld = "/usr/share/rspamd/effective_tld_names.dat";
  allow_raw_input = true;
  dns_max_requests = 64;
  dns {{ nameserver = ["127.0.0.1:5300"]; timeout = 5s; sockets = 16; retransmits = 2; }}
}}
logging {{ type = "console"; level = "error"; }}
worker "rspamd_proxy" {{
  bind_socket = "{socket}";
  milter = yes;
  timeout = 120s;
  count = {workers};
  upstream "local" {{ self_scan = yes; default = yes; }}
}}
modules {{ path = "/usr/share/rspamd/plugins/rbl.lua"; }}
rbl {{
  rbls {{
{rbls}
  }}
}}
metric {{
  name = "default";
  actions {{ reject = 8; }}
{symbols}
}}
"""


def start(bench, zones, workers=1):
    folder = bench.path(f"rspamd{workers}")
    os.mkdir(folder)
    socket = os.path.join(folder, "milter.sock")
    rbls = "\n".join(f'    l{n} {{ symbol = "L{n}"; rbl = "{zone}"; checks = ["from"]; '
                     "ipv4 = true; }" for n, zone in enumerate(zones))
    symbols = "\n".join(f'  symbol {{ name = "L{n}"; weight = 8; }}'
                        for n in range(len(zones)))
    conf = os.path.join(folder, "rspamd.conf")
    with open(conf, "w", encoding="utf-8") as out:
        out.write(CONF.format(dir=folder, socket=socket + " mode=0666", workers=workers,
                              rbls=rbls, symbols=symbols))
    log = bench.stack.enter_context(open(os.path.join(folder, "rspamd.log"), "w", encoding="utf-8"))
    process = bench.start(["rspamd", "-f", "-i", "-c", conf], stdout=log, stderr=log)
    filter_ = benchlib.Filter(process, "unix:" + socket, log.name)
    filter_.wait(60)
    time.sleep(2)  # its helper compiles expressions at the start
    return filter_


def version():
    return subprocess.run(["rspamd", "--version"], capture_output=True,
                          text=True).stdout.split("\n")[0]
