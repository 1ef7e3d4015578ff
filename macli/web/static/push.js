// Asks a browser to take push messages. In a page, beside /m.js:
//   <script src="https://…/push.js" async></script>
// and then macliPush.subscribe(), from a click, since browsers ask their user only then. Its options are
// worker (where the service worker is, /sw.js unless said) and visitor (a token, m.js's unless said).
"use strict";

window.macliPush = (() => {
  const home = new URL(document.currentScript.src).origin;

  const supported = () => "serviceWorker" in navigator && "PushManager" in window;

  async function post(path, document) {
    const answer = await fetch(home + path, { method: "POST", body: JSON.stringify(document) });
    if (!answer.ok) throw new Error((await answer.json()).error);
  }

  async function subscribe({ worker = "/sw.js", visitor = window.macli && window.macli.visitor() } = {}) {
    if (!supported() || !visitor) return false;
    if ((await Notification.requestPermission()) !== "granted") return false;
    const { key } = await (await fetch(home + "/push/key")).json();
    await navigator.serviceWorker.register(worker);
    const registered = await navigator.serviceWorker.ready;
    const subscription = await registered.pushManager.subscribe({
      userVisibleOnly: true,
      applicationServerKey: octets(key),
    });
    await post("/push/subscribe", { v: visitor, subscription });
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
