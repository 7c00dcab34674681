// Entry of every role process.
import { startDispatcherRole } from './dispatcher-role.ts'
import { startRelayRole } from './relay-role.ts'
import { hostRole } from './role-host.ts'
import { startWorkerRole } from './worker-role.ts'

await hostRole((config, say) => {
  if (config.role === 'relay') return startRelayRole(config, say)
  if (config.role === 'dispatcher') return startDispatcherRole(config, say)
  return startWorkerRole(config, say)
})
