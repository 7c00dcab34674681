// Entry of every role process; the role's name is its only argument. It loads nothing that its role does not need.
import type { RoleConfig } from './role-config.ts'
import { hostRole } from './role-host.ts'

switch (process.argv[2] as RoleConfig['role'] | undefined) {
  case 'relay': {
    const { startRelayRole } = await import('./relay-role.ts')
    await hostRole('relay', startRelayRole)
    break
  }
  case 'dispatcher': {
    const { startDispatcherRole } = await import('./dispatcher-role.ts')
    await hostRole('dispatcher', startDispatcherRole)
    break
  }
  case 'worker': {
    const { startWorkerRole } = await import('./worker-role.ts')
    await hostRole('worker', startWorkerRole)
    break
  }
  default:
    process.stderr.write('Usage: main relay|dispatcher|worker, configuration on standard input\n')
    process.exitCode = 2
}
