/* The User.com widget on web pages: docs/developers.md, "The widget". */
(() => {
    "use strict";
    const settings = JSON.parse(document.currentScript.dataset.settings);
    const MEMORY = "usercom_visitor"; // who User.com was last told of: a number that says nothing
    const THEIRS = "__ca__chat"; // whom User.com takes this browser for
    const YEAR = 31536000;
    let isRunning = false;
    let isAccepted = false;
    let waiting = [];
    let shown = "";

    const here = () => location.pathname + location.search;

    function getCookie(name) {
        const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
        return found ? found.slice(name.length + 1) : "";
    }

    /** On the widest domain that the browser allows, as User.com does; removed from all of them. */
    function setCookie(name, value) {
        const labels = location.hostname.split(".");
        const domains = labels.map((_, i) => `;domain=${labels.slice(i).join(".")}`).reverse();
        for (const domain of [...domains, ""]) {
            document.cookie =
                `${name}=${value};path=/;samesite=lax;max-age=${value ? YEAR : 0}${domain}`;
            if (value && getCookie(name) === value) {
                return true;
            }
        }
        return !value;
    }

    function isWanted() {
        const { pathname, search } = location;
        const path = pathname.replace(RegExp(`^${settings.prefix}(?=/|$)`), "") || "/";
        const within = (start) => path === start || path.startsWith(`${start}/`);
        return (
            // Whoever has the address may see the page: it is nobody else's business.
            !/[?&]\w*(token|hash)=/i.test(search) &&
            (!settings.only.length || settings.only.some(within)) &&
            !settings.not.some(within)
        );
    }

    function whenThere(work) {
        waiting.push(work);
        flush();
    }

    function flush() {
        while (window.UE && waiting.length) {
            waiting.shift()();
        }
    }

    const call = (method, more) => window.UE[method]({ ...more, apiKey: settings.key });

    async function start() {
        if (isRunning || !isAccepted || !isWanted()) {
            return;
        }
        isRunning = true;
        let who = {};
        if (settings.asks) {
            try {
                who = await (await fetch("/usercom/visitor", { method: "POST" })).json();
            } catch {
                isRunning = false; // who it is is not known, so it may be anybody
            }
        }
        if (!isRunning) {
            return;
        }
        const { visitor = "", civchat } = who;
        const before = getCookie(MEMORY);
        const isOther = Boolean(before) && before !== visitor;
        if (isOther) {
            setCookie(THEIRS, "");
            // Told only after the last one is forgotten, which is tried again until it was done.
            whenThere(() => {
                call("resetAuth", civchat);
                setCookie(MEMORY, visitor);
            });
        }
        const isKept = isOther || !visitor || setCookie(MEMORY, visitor);
        shown = here();
        if (!window.UE) {
            const told = isKept && !isOther ? civchat : {};
            const { key: apiKey, state } = settings;
            window.civchat = { ...told, apiKey, state, onLoad: flush };
            const script = document.createElement("script");
            Object.assign(script, { src: settings.src, async: true, onload: flush });
            script.dataset.cfasync = "false";
            document.head.append(script);
        }
    }

    function stop() {
        isRunning = isAccepted = false;
        waiting = [];
        if (window.UE) {
            window.UE.destroy();
            window.UE = undefined;
        }
        setCookie(THEIRS, "");
        setCookie(MEMORY, "");
    }

    function accept() {
        isAccepted = true;
        start();
    }

    /** Whether the visitor has accepted in Odoo's cookies bar, on an earlier page. */
    function hasAccepted() {
        try {
            return JSON.parse(getCookie("website_cookies_bar")).optional === true;
        } catch {
            return false;
        }
    }

    function moved() {
        if (!isRunning) {
            start();
        } else if (shown !== here() && isWanted()) {
            shown = here();
            whenThere(() => call("pageHit"));
        }
    }

    for (const name of ["pushState", "replaceState"]) {
        const original = history[name];
        history[name] = function (...args) {
            original.apply(this, args);
            moved();
        };
    }
    addEventListener("popstate", moved);
    addEventListener("pageshow", (event) => {
        if (event.persisted && isRunning) {
            location.reload(); // kept by the browser since somebody else may have been here
        }
    });
    addEventListener("click", ({ target }) => {
        if (isRunning && window.UE && target.closest('a[href*="/web/session/logout"]')) {
            call("resetAuth");
        }
    });
    document.addEventListener("optionalCookiesAccepted", accept);
    document.addEventListener("optionalCookiesDenied", stop);

    window.usercomEvent = (name, data = {}) => {
        if (isRunning) {
            whenThere(() => window.userengage(`event.${name}`, data));
        }
    };

    if (!settings.waits || hasAccepted()) {
        accept();
    }
})();
