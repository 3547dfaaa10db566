/** Opens the data folder of a stopped node for going on after a lost majority. */
import { existsSync } from 'node:fs';
import type { ResolvedConfig } from '../../config/resolve.ts';
import { openSurvivor, type Survivor } from '../../node/survivor.ts';
import { timing } from '../../node/timing.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import type { LogIndex } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import { loadEngine } from './engine.ts';
import { createNodePlatform } from './platform.ts';
import { openStorage } from './storage.ts';

/**
 * Locks and reads the folder of a node. Rejects with `CONFIG_INVALID` when it is in use or holds nothing to go on from.
 *
 * @example
 * const survivor = await openSurvivorFolder(resolveNodeConfig({ id: 2, dataDir: './data/node-2' }), null);
 */
export async function openSurvivorFolder(
  resolved: ResolvedConfig,
  before: LogIndex | null,
): Promise<Survivor> {
  if (resolved.storage === 'memory') {
    throw new QuorliteError('CONFIG_INVALID', 'storage "memory" keeps nothing to go on from');
  }
  if (!existsSync(resolved.dataDir)) {
    throw new QuorliteError('CONFIG_INVALID', `there is no data folder ${resolved.dataDir}`, {
      hint: 'name the folder of a node that was a member: --data-dir',
    });
  }
  const platform = createNodePlatform();
  const engine = await loadEngine(resolved.engine);
  const storage = openStorage(resolved, platform);
  try {
    const survivor = await openSurvivor({
      node: resolved.id,
      url: resolved.advertise,
      before,
      platform,
      storage,
      engine,
      limits: resolved.limits,
      timing: timing(resolved),
      logger: silentLogger,
    });
    return {
      ...survivor,
      close: async () => {
        await survivor.close();
        storage.close();
      },
    };
  } catch (error) {
    storage.close();
    throw error;
  }
}
