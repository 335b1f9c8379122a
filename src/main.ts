/** Server process: `node dist/main`. */
import { readEnvironment } from './config/environment.js';
import { startServer } from './start-server.js';

void startServer(() => readEnvironment());
