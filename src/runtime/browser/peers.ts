/** How a node in a browser reaches others: by WebSocket, or from tab to tab. */
import { dialWebSocket } from '../../client/remote/websocket.ts';
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';
import type { TabLinks } from './tab-links.ts';

/** Ending of the host names that stand for tabs of this origin: `http://1.tab`. */
const TAB_HOST = '.tab';
const RAFT_PATH = '/raft';

/** Whether a node's URL stands for a tab or worker of this origin. */
export function isTabUrl(url: string): boolean {
  try {
    return new URL(url).hostname.endsWith(TAB_HOST);
  } catch {
    return false;
  }
}

/** The address of a node's Raft endpoint between tabs. */
export function tabRaftAddress(url: string): string {
  return `${url.replace(/\/+$/, '')}${RAFT_PATH}`;
}

/** Dials peers: tabs through `tabs`, servers by WebSocket. */
export function createBrowserDialer(tabs: TabLinks): Dialer {
  return {
    dial(url: string, events: LinkEvents): Link {
      if (isTabUrl(url)) return tabs.dial(tabRaftAddress(url), events);
      const address = tabRaftAddress(url).replace(/^http/, 'ws');
      return dialWebSocket(globalThis.WebSocket, address, events);
    },
  };
}
