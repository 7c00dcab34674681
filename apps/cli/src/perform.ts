// Runs one request and reports it: live for a person, as one object for a program.
import type { InferRequest, ListedModel } from '@tacit/client'
import type { JobOutput } from '@tacit/exchange'
import { parseHex } from '@tacit/protocol'
import { formatTokens, printable, shorten } from './format.ts'
import type { OpenedClient } from './open-client.ts'

/** What `--json` says about a request. */
export type PerformedRequest = {
  readonly model: string
  readonly privacy: string
  readonly verification: string
  readonly answer: string
  /** Decimal, in the token's smallest unit. */
  readonly price: string
  /** Paths. */
  readonly receipt: string | null
  readonly checkpoint: string | null
  readonly openings: string | null
  readonly verified: boolean
  readonly worker: string
  readonly notice: string
  readonly milliseconds: number
}

export type PerformOptions = {
  readonly say: (line?: string) => void
  /** Writes parts of an answer as they come; silent when absent. */
  readonly stream?: (text: string) => void
  readonly signal: AbortSignal
}

/** @throws what `TacitClient.infer` throws. */
export async function performRequest(
  { client }: OpenedClient,
  request: InferRequest,
  { say, stream, signal }: PerformOptions,
): Promise<PerformedRequest> {
  const started = performance.now()
  const model = await client.model(request.model)
  const levels = request.levels ?? { privacy: 'sealed', verification: 'signed' }
  let worker = ''
  let notice = ''
  let price = 0n
  let outputs: JobOutput[] = []
  let done: PerformedRequest | undefined
  for await (const event of client.infer(request, { signal })) {
    if (event.type === 'worker') worker = event.worker
    if (event.type === 'notice') {
      notice = event.notice
      say(`  note: ${printable(event.notice)}`)
    }
    if (event.type === 'output') {
      outputs.push(event.output)
      if (event.output.kind === 'text') stream?.(printable(event.output.text))
    }
    if (event.type === 'restarted') {
      outputs = []
      say(`\n  ${printable(event.reason)} Starting over with another worker.`)
    }
    if (event.type === 'answered') price = event.price
    if (event.type === 'receipt') {
      const { saved, verification } = event
      done = {
        model: model.card?.name ?? model.id,
        ...levels,
        answer: answerOf(model, outputs),
        price: price.toString(),
        receipt: saved.receipt,
        checkpoint: saved.checkpoint,
        openings: saved.openings,
        verified: verification.exitCode === 0,
        worker,
        notice,
        milliseconds: Math.round(performance.now() - started),
      }
      if (verification.exitCode !== 0)
        for (const line of verification.lines) if (line.status !== 'PASS') say(`  ${line.status} ${line.check}: ${line.reason}`)
    }
  }
  if (done === undefined) throw new Error('unreachable: an answer ends with its receipt')
  return done
}

/** The lines under an answer. */
export function summarise(done: PerformedRequest): readonly string[] {
  return [
    `  ${done.privacy} to worker ${shorten(done.worker)}, ${done.verification}; ${formatTokens(BigInt(done.price))}; ${done.milliseconds} ms`,
    `  receipt ${done.verified ? 'verified' : 'NOT verified'}: ${done.receipt ?? 'not stored'}`,
  ]
}

// A classifier's answer is its class; other tensors are shown as numbers.
function answerOf(model: ListedModel, outputs: readonly JobOutput[]): string {
  const [first] = outputs
  if (first?.kind !== 'tensors') return outputs.map((output) => (output.kind === 'text' ? output.text : '')).join('')
  const [tensor] = first.tensors
  if (tensor === undefined) return ''
  const values = readValues(tensor)
  const labels = model.card?.labels ?? []
  if (labels.length === 0 || labels.length !== values.length) return JSON.stringify(values)
  return labels[values.indexOf(Math.max(...values))] ?? ''
}

function readValues(tensor: Extract<JobOutput, { kind: 'tensors' }>['tensors'][number]): readonly number[] {
  const { buffer } = parseHex(tensor.data, 'Tensor data')
  switch (tensor.type) {
    case 'f32':
      return [...new Float32Array(buffer)]
    case 'i8':
      return [...new Int8Array(buffer)]
    case 'u8':
      return [...new Uint8Array(buffer)]
    case 'i32':
      return [...new Int32Array(buffer)]
    case 'i64':
      return [...new BigInt64Array(buffer)].map(Number)
  }
}
