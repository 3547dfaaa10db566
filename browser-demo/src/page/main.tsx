/** Starts the page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { forgetColours } from './colours.ts';
import { begin } from './store.ts';

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', forgetColours);
render(<App />, document.getElementById('app')!);
void begin();
if ('serviceWorker' in navigator && location.protocol !== 'file:') {
  // Without it the page works as long as it is online.
  navigator.serviceWorker.register('./offline.js').catch(() => {});
}
