/** The base of every error that Tacit throws: a stable `code` for programs, a sentence for the person, then facts. */
export abstract class TacitError<Code extends string = string> extends Error {
  /** Stable and unique, `package.reason`; `docs/errors/<code>.md` explains it. */
  readonly code: Code
  /** Facts about this occurrence, one per line. Never plaintexts, prompts, weights or keys. */
  readonly details: readonly string[]

  constructor(code: Code, message: string, options: TacitErrorOptions = {}) {
    const details = options.details ?? []
    super([message, ...details.map((detail) => `  ${detail}`)].join('\n'), options.cause === undefined ? {} : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.details = details
  }

  /** Where the code is explained, relative to the repository or the published docs. */
  get docsPath(): string {
    return `docs/errors/${this.code}.md`
  }
}

export type TacitErrorOptions = { readonly details?: readonly string[]; readonly cause?: unknown }
