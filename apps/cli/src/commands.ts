// Every command of tacit, loaded when it is used: starting one must not wait for the code of the others.
import type { Command } from './command.ts'

const commands: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  start: {
    summary: 'start a local network and buy inferences (what npm start runs)',
    load: async () => (await import('./commands/start.ts')).start,
  },
  up: { summary: 'start a local network and keep it running', load: async () => (await import('./commands/up.ts')).up },
  down: { summary: 'stop the network of this directory', load: async () => (await import('./commands/down.ts')).down },
  reset: { summary: 'delete the local network of this directory', load: async () => (await import('./commands/reset.ts')).reset },
  invite: { summary: 'print an invitation to the network', load: async () => (await import('./commands/invite.ts')).invite },
  join: { summary: 'join a network that runs elsewhere', load: async () => (await import('./commands/join.ts')).join },
  infer: { summary: 'ask a model, get an answer and a receipt', load: async () => (await import('./commands/infer.ts')).infer },
  quote: { summary: 'ask what a request would cost', load: async () => (await import('./commands/quote.ts')).quote },
  chat: { summary: 'talk to a language model', load: async () => (await import('./commands/chat.ts')).chat },
  gateway: { summary: 'serve OpenAI clients on loopback', load: async () => (await import('./commands/gateway.ts')).gateway },
  models: { summary: 'list models, add or compile your own file', load: async () => (await import('./commands/models.ts')).models },
  attack: { summary: 'attack a compiled model of your own', load: async () => (await import('./commands/attack.ts')).attack },
  receipts: { summary: 'list the receipts you hold', load: async () => (await import('./commands/receipts.ts')).receipts },
  checkpoint: {
    summary: 'write a checkpoint to verify receipts against',
    load: async () => (await import('./commands/checkpoint.ts')).checkpoint,
  },
  verify: { summary: 'check a receipt, offline', load: async () => (await import('./commands/verify.ts')).verify },
  wallet: { summary: 'show, move and back up what you pay with', load: async () => (await import('./commands/wallet.ts')).wallet },
  worker: { summary: 'run a worker of your own', load: async () => (await import('./commands/worker.ts')).worker },
  earnings: { summary: 'list what the workers here earned', load: async () => (await import('./commands/earnings.ts')).earnings },
  doctor: { summary: 'find out what is wrong', load: async () => (await import('./commands/doctor.ts')).doctor },
}

export const commandNames: readonly string[] = Object.keys(commands)

export async function findCommand(name: string): Promise<Command | undefined> {
  return Object.hasOwn(commands, name) ? commands[name]?.load() : undefined
}

export function overview(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`)
  return [
    'Private, verifiable, paid AI inference on hardware that need not be trusted.',
    '',
    'Usage: tacit <command> [options]',
    '',
    ...lines,
    '',
    'tacit <command> --help tells more about each.',
  ].join('\n')
}
