// Asks a browser to take push messages:
//   macliPush.subscribe({ visitor: "…" }), from a click, since browsers ask their user only then.
// Also: worker (where the service worker is, /sw.js unless said). Who came here by a message's link is known by it.
"use strict";

window.macliPush = (() => {
  const home = new URL(document.currentScript.src).origin;

  const supported = () => "serviceWorker" in navigator && "PushManager" in window;

  async function post(path, document) {
    const answer = await fetch(home + path, { method: "POST", body: JSON.stringify(document) });
    if (!answer.ok) throw new Error((await answer.json()).error);
  }

  async function subscribe({ visitor, worker = "/sw.js" }) {
    const message = new URLSearchParams(location.search).get("_mc") || undefined;
    if (!supported()) return false;
    if ((await Notification.requestPermission()) !== "granted") return false;
    const { key } = await (await fetch(home + "/push/key")).json();
    await navigator.serviceWorker.register(worker);
    const registered = await navigator.serviceWorker.ready;
    const subscription = await registered.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: octets(key),
    });
    await post("/push/subscribe", { v: visitor, m: message, subscription });
    return true;
  }

  async function unsubscribe() {
    const registered = supported() && (await navigator.serviceWorker.getRegistration());
    const subscription = registered && (await registered.pushManager.getSubscription());
    if (!subscription) return false;
    await subscription.unsubscribe();
    await post("/push/unsubscribe", { endpoint: subscription.endpoint });
    return true;
  }

  function octets(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  }

  return { supported, subscribe, unsubscribe };
})();
