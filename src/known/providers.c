/* SPDX-License-Identifier: BSD-2-Clause */
#include "known/providers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* --- of mailboxes --- */

/* clang-format off */
/* Sorted. */
static const char *const providers[] = {
    "126.com", "126.net", "139.com", "163.com", "189.cn", "1und1.de", "21cn.com",
    "263.net", "a1.net", "abv.bg", "addy.io", "aim.com", "alice.it", "aliceadsl.fr",
    "aliyun.com", "amazonses.com", "ameritech.net", "anonaddy.com", "aol.co.uk",
    "aol.com", "aol.de", "aol.fr", "aol.it", "aon.at", "arcor.de", "arnet.com.ar",
    "aruba.it", "atlas.cz", "att.net", "au.com", "azet.sk", "bbox.fr", "bell.net",
    "bellsouth.net", "biglobe.ne.jp", "bigmir.net", "bigpond.com", "bk.ru",
    "bluemail.ch", "bluewin.ch", "blueyonder.co.uk", "bol.com.br", "bredband.net",
    "broadpark.no", "bsnl.in", "bt.com", "btconnect.com", "btinternet.com",
    "btopenworld.com", "cableone.net", "caramail.com", "casema.nl", "cegetel.net",
    "centrum.cz", "centrum.sk", "centurylink.net", "centurytel.net", "charter.net",
    "chello.at", "chello.nl", "citromail.hu", "clix.pt", "club-internet.fr",
    "cogeco.ca", "comcast.net", "comhem.se", "consultant.com", "countermail.com",
    "cox.net", "ctemplar.com", "daum.net", "dir.bg", "disroot.org", "docomo.ne.jp",
    "duck.com", "earthlink.net", "eastlink.ca", "elisanet.fi", "email.com",
    "email.cz", "email.de", "email.it", "embarqmail.com", "engineer.com",
    "excite.co.jp", "excite.com", "ezweb.ne.jp", "fastmail.com", "fastmail.fm",
    "fastmail.net", "fastwebnet.it", "fibertel.com.ar", "firemail.de", "foxmail.com",
    "free.fr", "freemail.hu", "freenet.de", "freenetmail.de", "frontier.com",
    "frontiernet.net", "gawab.com", "gazeta.pl", "globo.com", "globomail.com",
    "gmail.com", "gmail.fr", "gmx.at", "gmx.ch", "gmx.co.uk", "gmx.com", "gmx.de",
    "gmx.es", "gmx.fr", "gmx.li", "gmx.net", "gmx.org", "gmx.us", "google.com",
    "googlemail.com", "hanmail.net", "hetnet.nl", "hey.com", "hinet.net",
    "hispeed.ch", "home.nl", "hotmail.at", "hotmail.be", "hotmail.ca", "hotmail.ch",
    "hotmail.co.jp", "hotmail.co.th", "hotmail.co.uk", "hotmail.com",
    "hotmail.com.ar", "hotmail.com.br", "hotmail.com.mx", "hotmail.de", "hotmail.dk",
    "hotmail.es", "hotmail.fr", "hotmail.it", "hotmail.my", "hotmail.nl",
    "hotmail.no", "hotmail.se", "hushmail.com", "i.softbank.jp", "i.ua", "icloud.com",
    "ig.com.br", "iinet.net.au", "iname.com", "inbox.com", "inbox.lv", "inbox.ru",
    "indiatimes.com", "infoseek.jp", "inode.at", "interia.eu", "interia.pl",
    "internet.ru", "internode.on.net", "inwind.it", "iol.it", "iol.pt", "juno.com",
    "kabelmail.de", "kakao.com", "keemail.me", "kolumbus.fi", "kpn.nl", "kpnmail.nl",
    "laposte.fr", "laposte.net", "lavabit.com", "lenta.ru", "libero.it",
    "libertysurf.fr", "list.ru", "live.at", "live.be", "live.ca", "live.co.uk",
    "live.com", "live.com.au", "live.de", "live.dk", "live.fr", "live.it", "live.jp",
    "live.nl", "live.no", "live.se", "luukku.com", "lycos.com", "lyse.net", "mac.com",
    "mail.bg", "mail.com", "mail.de", "mail.dk", "mail.kz", "mail.ru", "mailbox.at",
    "mailbox.org", "mailfence.com", "mailgun.org", "mcsv.net", "me.com",
    "mediacombb.net", "messagingengine.com", "meta.ua", "mindspring.com",
    "mozmail.com", "msn.cn", "msn.com", "mts.net", "mweb.co.za", "mynet.com",
    "myself.com", "myyahoo.com", "narod.ru", "nate.com", "naver.com", "naver.net",
    "netvigator.com", "netvision.net.il", "netzero.net", "neuf.fr", "nifty.com",
    "noos.fr", "ntlworld.com", "numericable.fr", "o2.co.uk", "o2.pl", "ocn.ne.jp",
    "oi.com.br", "onet.eu", "onet.pl", "online.de", "online.no", "onmicrosoft.com",
    "ono.com", "op.pl", "optimum.net", "optonline.net", "optusnet.com.au",
    "orange.es", "orange.fr", "orange.pl", "otenet.gr", "outlook.at", "outlook.be",
    "outlook.co.id", "outlook.com", "outlook.com.br", "outlook.de", "outlook.es",
    "outlook.fr", "outlook.in", "outlook.it", "outlook.jp", "outlook.pt",
    "outlook.sa", "ozemail.com.au", "pacbell.net", "passport.com", "pchome.com.tw",
    "pec.it", "planet.nl", "plus.com", "plusnet.com", "pm.me", "pobox.com",
    "poczta.fm", "poczta.onet.pl", "post.com", "post.cz", "poste.it", "posteo.at",
    "posteo.ch", "posteo.de", "posteo.net", "privaterelay.appleid.com",
    "prodigy.net.mx", "proton.me", "protonmail.ch", "protonmail.com", "proximus.be",
    "q.com", "qq.com", "quicknet.nl", "r7.com", "rambler.ru", "rcn.com", "rediff.com",
    "rediffmail.com", "relay.firefox.com", "riseup.net", "ro.ru", "roadrunner.com",
    "rocketmail.com", "rogers.com", "rr.com", "runbox.com", "sapo.pt", "sasktel.net",
    "sbcglobal.net", "scarlet.be", "sendgrid.net", "seznam.cz", "sfr.fr", "shaw.ca",
    "sify.com", "simplelogin.com", "sina.cn", "sina.com", "singnet.com.sg", "sky.com",
    "skynet.be", "so-net.ne.jp", "softbank.ne.jp", "sohu.com", "spectrum.net",
    "spray.se", "startmail.com", "stofanet.dk", "suddenlink.net", "sunrise.ch",
    "suomi24.fi", "superonline.com", "swbell.net", "swissonline.ch", "sympatico.ca",
    "t-online.de", "t-online.hu", "talk21.com", "talktalk.net", "tdcadsl.dk",
    "tds.net", "techie.com", "tele2.se", "telefonica.net", "telenet.be", "telia.com",
    "telkomsa.net", "telstra.com", "telus.net", "terra.com.br", "terra.es", "tim.it",
    "tin.it", "tiscali.co.uk", "tiscali.it", "tlen.pl", "tom.com", "tpg.com.au",
    "turk.net", "tut.by", "tuta.com", "tuta.io", "tutamail.com", "tutanota.com",
    "tutanota.de", "twc.com", "ukr.net", "unitybox.de", "uol.com.br", "upcmail.nl",
    "usa.com", "usa.net", "verizon.net", "videotron.ca", "vip.163.com", "vip.qq.com",
    "virgilio.it", "virginmedia.com", "vodafone.de", "vodafone.it", "vodafonemail.de",
    "voila.fr", "volny.cz", "vp.pl", "vsnl.net", "walla.co.il", "walla.com",
    "wanadoo.es", "wanadoo.fr", "web.de", "windowslive.com", "windstream.net",
    "wo.cn", "worldonline.fr", "wowway.com", "wp.pl", "writeme.com", "xs4all.nl",
    "xtra.co.nz", "ya.ru", "yahoo.at", "yahoo.be", "yahoo.ca", "yahoo.cn",
    "yahoo.co.id", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.kr", "yahoo.co.nz",
    "yahoo.co.th", "yahoo.co.uk", "yahoo.co.za", "yahoo.com", "yahoo.com.ar",
    "yahoo.com.au", "yahoo.com.br", "yahoo.com.hk", "yahoo.com.mx", "yahoo.com.ph",
    "yahoo.com.sg", "yahoo.com.tr", "yahoo.com.tw", "yahoo.com.vn", "yahoo.de",
    "yahoo.dk", "yahoo.es", "yahoo.fr", "yahoo.gr", "yahoo.ie", "yahoo.in",
    "yahoo.it", "yahoo.nl", "yahoo.no", "yahoo.pl", "yahoo.ro", "yahoo.se",
    "yandex.by", "yandex.com", "yandex.kz", "yandex.ru", "yandex.ua", "yeah.net",
    "ymail.com", "ziggo.nl", "zipmail.com.br", "zoho.com", "zohomail.com",
    "zohomail.eu", "zohomail.in", "zoznam.sk",
};
/* clang-format on */

static int compare(const void *name, const void *row)
{
    return strcmp(name, *(const char *const *)row);
}

bool provider_is_large(const char *domain)
{
    return bsearch(domain, providers, sizeof providers / sizeof providers[0],
                   sizeof providers[0], compare) != NULL;
}

const char *provider_of_host(const char *name)
{
    while (name != NULL && !provider_is_large(name)) {
        name = strchr(name, '.');
        name = name != NULL ? name + 1 : NULL;
    }
    return name;
}

/* --- of resolvers --- */

static const char *const public_resolvers[] = {
    "8.8.8.8:53",                /* Google */
    "8.8.4.4:53",                /* Google */
    "1.1.1.1:53",                /* Cloudflare */
    "1.0.0.1:53",                /* Cloudflare */
    "9.9.9.9:53",                /* Quad9 */
    "149.112.112.112:53",        /* Quad9 */
    "208.67.222.222:53",         /* OpenDNS */
    "208.67.220.220:53",         /* OpenDNS */
    "[2001:4860:4860::8888]:53", /* Google */
    "[2001:4860:4860::8844]:53", /* Google */
    "[2606:4700:4700::1111]:53", /* Cloudflare */
    "[2606:4700:4700::1001]:53", /* Cloudflare */
    "[2620:fe::fe]:53",          /* Quad9 */
};

/* Whether one of the servers is this one, and not only a part of it. */
static bool is_among(const char *servers, const char *server)
{
    size_t length = strlen(server);

    for (const char *at = strstr(servers, server); at != NULL;
         at = strstr(at + 1, server))
        if ((at == servers || at[-1] == ',') && (at[length] == '\0' || at[length] == ','))
            return true;
    return false;
}

const char *public_resolver_next(const char *servers, size_t *index)
{
    while (servers != NULL &&
           *index < sizeof public_resolvers / sizeof public_resolvers[0]) {
        const char *server = public_resolvers[(*index)++];

        if (is_among(servers, server))
            return server;
    }
    return NULL;
}
