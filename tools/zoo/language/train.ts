// Trains the language model of the zoo and writes its files; the same bytes every time.
//   node --conditions=tacit-source tools/zoo/language/train.ts
import { createAdam } from './adam.ts'
import { type ModelShape, shippedPlan, shippedShape, type TrainingPlan } from './config.ts'
import { drawBatch, drawCorpus, ignored, type TokenStream, windowAt } from './corpus.ts'
import { createKernel, type Kernel } from './kernel.ts'
import { initialise } from './parameters.ts'
import { publish } from './publish.ts'
import { mulberry32 } from './random.ts'
import { allocateState, createTransformer, type TrainedState } from './transformer.ts'

/** What training found out, for the card. */
export type TrainingFacts = {
  readonly parameters: number
  readonly steps: number
  readonly trainingTokens: number
  readonly tokensSeen: number
  readonly heldOutTokens: number
  /** On held-out prose and answers; questions, instructions and control tokens are not counted. */
  readonly bitsPerByte: number
}

/** The weights of all tensors, one after the other, and the facts. */
export type Trained = { readonly weights: Float32Array; readonly facts: TrainingFacts }

/** The same shape and plan give the same weights. */
export async function train(shape: ModelShape, plan: TrainingPlan, report: (line: string) => void): Promise<Trained> {
  const kernel = await createKernel(512)
  const state = allocateState(kernel, shape)
  initialise(state.parameters, shape.layers, plan.seed)
  const corpus = drawCorpus(plan)
  const random = mulberry32(plan.seed + 1)
  const adam = createAdam(state.parameters.flat, plan)
  const steps = plan.phases.reduce((sum, phase) => sum + phase.steps, 0)
  const started = performance.now()
  let step = 0
  let tokensSeen = 0
  for (const phase of plan.phases) {
    const model = createTransformer(kernel, shape, phase, state)
    for (let i = 0; i < phase.steps; i++, step++) {
      const { inputs, targets } = drawBatch(corpus.training, random, phase)
      const loss = model.forward(inputs, targets)
      model.backward(inputs, targets)
      adam(state.gradients.flat, learningRate(plan, step, steps))
      tokensSeen += inputs.length
      if (step % 100 === 0)
        report(`step ${step} of ${steps}, ${loss.toFixed(3)} nats per byte, ${((performance.now() - started) / 1000).toFixed(0)} s`)
    }
  }
  const facts = {
    parameters: state.parameters.flat.length,
    steps,
    trainingTokens: corpus.training.tokens.length,
    tokensSeen,
    heldOutTokens: corpus.heldOut.tokens.length,
    bitsPerByte: heldOutBits(kernel, shape, state, corpus.heldOut),
  }
  report(`${facts.bitsPerByte.toFixed(3)} bits per byte on held-out text`)
  return { weights: state.parameters.flat.slice(), facts }
}

/** Warm-up, then a cosine down to a tenth. */
function learningRate({ learningRate: highest, warmUpSteps }: TrainingPlan, step: number, steps: number): number {
  const warm = Math.min(1, (step + 1) / warmUpSteps)
  return highest * warm * (0.1 + 0.45 * (1 + Math.cos((Math.PI * step) / steps)))
}

/** Mean over all whole windows of the held-out stream, each beginning where a document begins. */
function heldOutBits(kernel: Kernel, shape: ModelShape, state: TrainedState, stream: TokenStream): number {
  const size = { window: 256, batch: 1 }
  const model = createTransformer(kernel, shape, size, state)
  let nats = 0
  let bytes = 0
  let reached = 0
  for (const start of stream.starts) {
    if (start < reached || start + size.window >= stream.tokens.length) continue
    reached = start + size.window
    const { inputs, targets } = windowAt(stream, start, size.window)
    model.forward(inputs, targets)
    targets.forEach((target, n) => {
      // Bytes only: the end of an answer is a token of its own.
      if (target === ignored || target >= 256) return
      nats += model.losses[n] ?? 0
      bytes++
    })
  }
  return nats / bytes / Math.LN2
}

if (import.meta.main) publish(shippedShape, shippedPlan, await train(shippedShape, shippedPlan, console.log))
