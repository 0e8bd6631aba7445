"""Mail domains that anybody can have an address at. None of them ever makes a customer."""

_LIST = """
    126.com 163.com aim.com alice.it aol.com arcor.de att.net bigpond.com bk.ru bluewin.ch bluemail.dk bol.com.br
    bredband.net btinternet.com centrum.cz charter.net comcast.net cox.net cybermail.dk dr.com email.cz email.dk
    email.com eircom.net fastmail.com fastmail.fm fibermail.dk foxmail.com free.fr freenet.de frontiernet.net
    get2net.dk gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net google.com googlemail.com hey.com home.dk home.nl
    hotmail.be hotmail.ca hotmail.co.uk hotmail.com hotmail.de hotmail.dk hotmail.es hotmail.fr hotmail.it
    hotmail.no hotmail.nl hotmail.se hushmail.com icloud.com inbox.lv inbox.ru interia.pl jubii.dk
    kabelmail.de kpnmail.nl laposte.net libero.it list.ru live.be live.ca live.co.uk live.com live.de live.dk
    live.fr live.it live.nl live.no live.se mac.com mail.be mail.com mail.de mail.dk mail.ee mail.ru mail.tele.dk
    mailbox.org me.com mil.dk msn.com mvb.net naver.com netscape.net ny-post.dk o2.pl ofir.dk online.no onet.pl
    orange.fr outlook.com outlook.de outlook.dk outlook.es outlook.fr outlook.it pc.dk planet.nl pm.me post.cz
    post.tele.dk post.com privat.dk proton.me protonmail.ch protonmail.com qq.com rediffmail.com rocketmail.com
    sapo.pt sbcglobal.net seznam.cz sfr.fr shaw.ca sina.com sky.com sol.dk spray.se stofanet.dk sunrise.ch
    t-online.de talktalk.net tdcadsl.dk tele2.se telenet.be telia.com terra.com.br tin.it tiscali.it tuta.com
    tuta.io tutamail.com tutanota.com ukr.net uol.com.br verizon.net vip.cybercity.dk virgilio.it virginmedia.com
    wanadoo.fr web.de webspeed.dk wp.pl xs4all.nl yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com
    yahoo.com.br yahoo.de yahoo.dk yahoo.es yahoo.fr yahoo.it yahoo.no yahoo.se yandex.com yandex.ru ymail.com
    youmail.dk youmail.com zoho.com
"""

PUBLIC_PROVIDERS = frozenset(_LIST.split())


def is_public(domain: str) -> bool:
    return domain.strip().lower() in PUBLIC_PROVIDERS
