import { table } from './format.ts'

/** Who sees what of one sealed request. SECURITY.md explains each entry and names the test that holds it. */
const rows: readonly (readonly string[])[] = [
  ['who', 'sees', 'does not see'],
  ['worker', 'prompt and answer, payer, price', 'your network address (the relay stands between)'],
  ['relay', 'your network address, which worker, when, size class', 'prompt, answer, model, payer'],
  ['dispatcher', 'your network address, model, a one-time hash', 'prompt, answer, payer, which worker you took'],
  ['chain', 'payer, worker and model of each lock, sums redeemed', 'requests, prompts, answers, single prices'],
  ['holder of a receipt', 'model, worker, time, rounded usage', 'prompt, answer, payer, price (unless you show the openings)'],
]

export function whoSeesWhat(): readonly string[] {
  return [
    ...table(rows),
    '',
    'With --stream immediate the relay also sees the length and rhythm of the answer.',
    'Relay and dispatcher together can link your address to worker and model.',
    'The faucet of a local network sees your network address together with the payer that it sends tokens to.',
  ]
}
