// Tells macli what a visitor does. In a page, before </body>:
//   <script src="https://…/m.js" async></script>
// On the tag, where wanted: data-consent="required" (nothing is kept or told before macli.consent(true)),
// data-consent-cookie="NAME" (that cookie says yes), data-respect-dnt, data-manual (page views only by macli.view()).
"use strict";

(() => {
  const tag = document.currentScript;
  const early = (window.macli && window.macli.q) || [];
  if (!tag || (window.macli && window.macli.visitor)) return;
  const home = tag.src.replace(/\/m\.js.*$/, "");
  const popups = []; // filled in by macli serve
  const cookie = "macli_v";
  const listeners = {};
  const memory = {};
  let view = null;
  let follow = "";
  let timer = 0;
  let pause = 0;
  let sending = false;
  let started = false;

  // What is remembered in this browser; without storage, until the page ends.
  function get(name) {
    try {
      return localStorage.getItem("macli_" + name) || memory[name] || "";
    } catch {
      return memory[name] || "";
    }
  }

  function set(name, value) {
    memory[name] = value;
    try {
      if (value) localStorage.setItem("macli_" + name, value);
      else localStorage.removeItem("macli_" + name);
    } catch {} // full or forbidden: memory has it
  }

  function queue() {
    try {
      return JSON.parse(get("q") || "[]");
    } catch {
      return [];
    }
  }

  function random() {
    const octets = crypto.getRandomValues(new Uint8Array(16));
    return btoa(String.fromCharCode(...octets)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
  }

  function read(name) {
    const found = ("; " + document.cookie).split("; " + name + "=")[1];
    return found ? found.split(";")[0] : "";
  }

  function keep(token, days) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${cookie}=${token}; Max-Age=${days * 86400}; Path=/; SameSite=Lax${secure}`;
  }

  function visitor() {
    if (!allowed()) return "";
    const token = read(cookie) || random();
    keep(token, 395); // 13 months from the last visit
    return token;
  }

  function allowed() {
    const quiet = navigator.globalPrivacyControl || navigator.doNotTrack === "1";
    if (tag.hasAttribute("data-respect-dnt") && quiet) return false;
    const said = get("consent");
    if (said) return said === "yes";
    const named = tag.dataset.consentCookie;
    if (named) return !/^(|0|no|false|denied)$/i.test(read(named));
    return tag.dataset.consent !== "required";
  }

  function consent(yes) {
    set("consent", yes ? "yes" : "no");
    if (yes) return start();
    for (const name of ["q", "who", "visits", "seen", "left"]) set(name, "");
    keep("", 0);
    started = false;
    view = null;
  }

  // Telling: what is told stays in the queue until macli has it, so nothing is lost without a network.
  function put(event) {
    if (!allowed()) return;
    const told = { id: random(), at: Date.now(), url: location.href, ...event };
    set("q", JSON.stringify([...queue(), told].slice(-100)));
    later(0);
    return told;
  }

  function message() {
    const who = get("who");
    const events = queue().slice(0, 40);
    while (events.length > 1 && JSON.stringify(events).length > 40000) events.pop();
    if (!events.length && !who && !follow) return null;
    return { v: visitor(), m: follow || undefined, sent: Date.now(), events, identify: who ? JSON.parse(who) : undefined };
  }

  function later(seconds) {
    clearTimeout(timer);
    timer = setTimeout(send, seconds * 1000);
  }

  async function send() {
    const told = !sending && allowed() && message();
    if (!told) return;
    sending = true;
    try {
      const answer = await fetch(home + "/t", {
        method: "POST",
        body: JSON.stringify(told),
        headers: { "Content-Type": "text/plain" },
        credentials: "omit",
        keepalive: true,
      });
      if (answer.status >= 500 || answer.status === 429) throw new Error(answer.status);
      await delivered(told, answer);
      pause = 0;
    } catch {
      pause = Math.min(300, pause * 2 || 5);
      later(pause);
    }
    sending = false;
    if (!pause && message()) later(0);
  }

  async function delivered(told, answer) {
    const ids = told.events.map((event) => event.id);
    set("q", JSON.stringify(queue().filter((event) => !ids.includes(event.id))));
    if (told.m === follow) follow = "";
    if (told.identify && JSON.stringify(told.identify) === get("who")) set("who", "");
    if (answer.status === 200) {
      const said = await answer.json();
      if (said.v) keep(said.v, 395); // somebody else uses this browser now
    }
    emit("sent", told);
  }

  // Page views, and how long each was looked at.
  function look(asked) {
    if (!allowed() || (tag.hasAttribute("data-manual") && !asked) || (view && view.url === location.href)) return;
    leave();
    view = { id: random(), url: location.href, title: document.title, shown: 0 };
    view.since = document.hidden ? 0 : Date.now();
    put({ name: "page.visited", url: view.url, title: view.title });
    emit("view", view.url);
  }

  function left() {
    return { id: view.id, name: "page.left", url: view.url, title: view.title, duration: Math.round(view.shown / 1000) };
  }

  function leave() {
    if (!view) return;
    count();
    put(left());
    set("left", "");
    view = null;
  }

  function count() {
    if (!view) return;
    if (view.since) view.shown += Date.now() - view.since;
    view.since = document.hidden ? 0 : Date.now();
    // A phone may end a hidden page without a word: the next page tells of it then.
    if (document.hidden) set("left", JSON.stringify({ at: Date.now(), ...left() }));
  }

  function end() {
    leave();
    const told = allowed() && message();
    // It stays in the queue: a beacon says nothing of its fate, and what arrives twice counts once.
    if (told) navigator.sendBeacon(home + "/t", new Blob([JSON.stringify(told)], { type: "text/plain" }));
  }

  function track(name, props) {
    if (JSON.stringify(props || {}).length < 16000) put({ name, props });
    else console.warn("macli: " + name + " says too much");
  }

  function identify(who) {
    if (!allowed()) return;
    set("who", JSON.stringify(who));
    later(0);
    emit("identify", who);
  }

  // Forms, banners, and forms that pop up for those nobody knows.
  function form(slug) {
    const script = document.createElement("script");
    script.src = `${home}/f/${slug}/embed.js`;
    document.head.append(script);
  }

  function embed() {
    const slugs = new Set([...document.querySelectorAll("[data-macli-form]")].map((place) => place.dataset.macliForm));
    for (const slug of slugs) if (!document.querySelector(`script[src$="/f/${slug}/embed.js"]`)) form(slug);
  }

  function click(event) {
    const link = event.target.closest && event.target.closest("a[data-macli-banner]");
    if (!link || !link.href.startsWith(home + "/b/") || !visitor()) return;
    const url = new URL(link.href);
    url.searchParams.set("_visitor", visitor());
    link.href = url.href;
  }

  function plan() {
    // A visit ends with half an hour in which no page was opened.
    if (Date.now() - Number(get("seen")) > 1800000) set("visits", String(Number(get("visits")) + 1));
    set("seen", String(Date.now()));
    for (const popup of popups) {
      const since = Date.now() - Number(get("shown_" + popup.form));
      if (Number(get("visits")) < popup.after_visits || since < popup.every * 1000) continue;
      setTimeout(() => pop(popup.form), popup.after * 1000);
      if (popup.on_exit) document.documentElement.addEventListener("mouseleave", () => pop(popup.form), { once: true });
    }
  }

  async function pop(slug) {
    if (document.querySelector(".macli-popup, [data-macli-form]") || !allowed()) return;
    const query = new URLSearchParams({ _visitor: visitor(), lang: document.documentElement.lang });
    const answer = await fetch(`${home}/f/${slug}/popup.json?${query}`);
    if (answer.status !== 200 || document.querySelector(".macli-popup")) return;
    const said = await answer.json();
    set("shown_" + slug, String(Date.now()));
    const box = document.createElement("div");
    box.className = "macli-popup";
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-label", said.form);
    box.style.cssText =
      "position:fixed;z-index:2147483647;right:1rem;bottom:1rem;width:min(24rem,calc(100vw - 2rem));max-height:80vh;" +
      "overflow:auto;box-sizing:border-box;padding:1.25rem;border-radius:.75rem;background:#fff;color:#1a1a1a;" +
      "box-shadow:0 .5rem 2rem rgb(0 0 0/.25);font:1rem/1.5 system-ui,sans-serif";
    const shut = document.createElement("button");
    shut.type = "button";
    shut.textContent = "×";
    shut.setAttribute("aria-label", said.close);
    shut.style.cssText = "float:right;border:0;background:none;font-size:1.5rem;line-height:1;cursor:pointer;color:inherit";
    shut.onclick = () => box.remove();
    box.onkeydown = (event) => event.key === "Escape" && box.remove();
    const place = document.createElement("div");
    place.dataset.macliForm = slug;
    box.append(shut, place);
    document.body.append(box);
    form(slug);
    emit("popup", slug);
  }

  // For others: macli.on("ready" | "view" | "identify" | "sent" | "popup", (said) => …)
  function on(name, tell) {
    (listeners[name] = listeners[name] || []).push(tell);
    if (name === "ready" && started) tell();
  }

  function emit(name, said) {
    for (const tell of listeners[name] || []) tell(said);
  }

  function start() {
    if (started || !allowed()) return;
    started = true;
    if (get("left")) put(JSON.parse(get("left")));
    set("left", "");
    look();
    plan();
    emit("ready");
  }

  function soon() {
    setTimeout(() => look(), 0); // the page sets its title after its address
  }

  const here = new URL(location.href);
  if (here.searchParams.has("_mc")) {
    follow = here.searchParams.get("_mc");
    here.searchParams.delete("_mc");
    history.replaceState(history.state, "", here.href);
  }
  for (const name of ["pushState", "replaceState"]) {
    const own = history[name];
    history[name] = function (...given) {
      own.apply(this, given);
      soon();
    };
  }
  addEventListener("popstate", soon);
  addEventListener("online", () => later(0));
  addEventListener("pagehide", end);
  addEventListener("pageshow", (event) => event.persisted && look());
  document.addEventListener("visibilitychange", count);
  document.addEventListener("click", click, true);
  window.macli = { home, visitor, consent, track, identify, view: () => look(true), on };
  for (const [name, given] of early) window.macli[name](...given);
  embed();
  start();
})();
