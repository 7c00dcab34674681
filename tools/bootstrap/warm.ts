// Loads the code of a start without running it: Node keeps what it compiled.
import '../../apps/cli/src/commands.ts'
import '../../apps/cli/src/commands/start.ts'
import '../../packages/node/src/node/compiled-model.ts'
import '../../packages/node/src/node/roles/dispatcher-role.ts'
import '../../packages/node/src/node/roles/relay-role.ts'
import '../../packages/node/src/node/roles/worker-role.ts'
