/** Keeps the page's files, so that it opens without a network. The build puts their names and version in. */
declare const FILES: readonly string[];
declare const VERSION: string;

interface Lifecycle extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface Fetching extends Lifecycle {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const name = `quorlite-demo-${VERSION}`;

self.addEventListener('install', (event) => {
  (event as Lifecycle).waitUntil(caches.open(name).then((cache) => cache.addAll([...FILES])));
});

self.addEventListener('activate', (event) => {
  const drop = async (): Promise<void> => {
    for (const key of await caches.keys()) {
      if (key.startsWith('quorlite-demo-') && key !== name) await caches.delete(key);
    }
  };
  (event as Lifecycle).waitUntil(drop());
});

self.addEventListener('fetch', (event) => {
  const { request } = event as Fetching;
  if (request.method !== 'GET') return;
  const answer = async (): Promise<Response> => {
    const cache = await caches.open(name);
    return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
  };
  (event as Fetching).respondWith(answer());
});
