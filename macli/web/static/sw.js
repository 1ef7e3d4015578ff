// Shows push messages and opens what they lead to. On a site of its own host, put a worker beside it
// that holds one line: importScripts("https://…/sw.js").
"use strict";

self.addEventListener("push", (event) => {
  let said = {};
  try {
    said = event.data.json();
  } catch {
    said = { title: event.data ? event.data.text() : "" };
  }
  const shown = { body: said.body || "", data: { url: said.url || "" } };
  if (said.icon) shown.icon = said.icon;
  if (said.tag) shown.tag = said.tag;
  event.waitUntil(self.registration.showNotification(said.title || "", shown));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = event.notification.data && event.notification.data.url;
  if (url) event.waitUntil(self.clients.openWindow(url));
});

self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(renew(event.oldSubscription, event.newSubscription));
});

async function renew(old, given) {
  if (!old) return;
  const fresh = given || (await self.registration.pushManager.subscribe(old.options));
  await fetch(self.macliHome + "/push/subscribe", {
    method: "POST",
    body: JSON.stringify({ replaces: old.endpoint, subscription: fresh }),
  });
}
