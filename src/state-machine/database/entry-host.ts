/** What SQL sees of the world while an entry is applied: the leader's time and the entry's randomness. */
import type { EngineHost } from '../../../wasm/engine.ts';
import { CommandEntropy } from '../entropy.ts';

/** Host of the writer. */
export class EntryHost implements EngineHost {
  readonly entropy: CommandEntropy = new CommandEntropy();
  wall = 0;

  wallMs(): number {
    return this.wall;
  }

  random(out: Uint8Array): void {
    this.entropy.fill(out);
  }

  /** The writer has no deadlines (architecture, section 2): it may not see a clock that differs per node. */
  monotonicMs(): number {
    return 0;
  }
}
