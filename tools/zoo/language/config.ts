/** The shape of the model: a LLaMA-style decoder over bytes. */
export type ModelShape = {
  readonly vocabulary: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly feedForward: number
  readonly normEpsilon: number
  readonly ropeBase: number
}

/** 256 bytes, then the control tokens, then padding to a multiple of 8. */
export const controlTokens = {
  beginning: 256,
  end: 257,
  user: 258,
  assistant: 259,
  system: 260,
} as const

/** How the vocabulary writes them, in order. */
export const controlTokenTexts: readonly string[] = ['<|begin|>', '<|end|>', '<|user|>', '<|assistant|>', '<|system|>']

/** The model that is shipped. Widths are multiples of 32, the block length of q8_0 and q4_0. */
export const shippedShape: ModelShape = {
  vocabulary: 264,
  width: 64,
  layers: 3,
  heads: 4,
  feedForward: 192,
  normEpsilon: 1e-5,
  ropeBase: 10_000,
}

/** How it is trained: `tokens` per step are cut into windows of `window` tokens. */
export type TrainingPlan = {
  readonly seed: number
  readonly trainingDocuments: number
  readonly heldOutDocuments: number
  readonly learningRate: number
  readonly warmUpSteps: number
  readonly weightDecay: number
  readonly phases: readonly { readonly steps: number; readonly window: number; readonly batch: number }[]
}

/** What the shipped files come from. */
export const shippedPlan: TrainingPlan = {
  seed: 1,
  trainingDocuments: 12_000,
  heldOutDocuments: 400,
  learningRate: 0.004,
  warmUpSteps: 100,
  weightDecay: 0.01,
  phases: [
    { steps: 1_400, window: 128, batch: 8 },
    { steps: 700, window: 512, batch: 2 },
    { steps: 60, window: 2048, batch: 1 },
  ],
}
