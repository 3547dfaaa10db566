/** The Worker to deploy: the objects' class and the handler in front of them. */
import { createWorker, type WorkerHandler } from '../src/worker.ts';

export { QuorliteNode } from '../src/worker.ts';

const worker: WorkerHandler = createWorker();

export default worker;
