// What a command is: a name, a sentence, its options, and what it does.
import { type ParseArgsOptionDescriptor, parseArgs } from 'node:util'
import { UsageError } from './errors.ts'

/** An option as `node:util` parses it, with a sentence for the help. */
export type Option = ParseArgsOptionDescriptor & { readonly help: string; readonly value?: string }
export type Options = Readonly<Record<string, Option>>

export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/** What a command gets. */
export type Invocation = {
  readonly values: Values
  readonly positionals: readonly string[]
  readonly dataDir: string
  readonly json: boolean
  /** For the person; silent where a program reads. */
  readonly say: (line?: string) => void
  /** Aborts on Ctrl-C and on the end of the process. */
  readonly signal: AbortSignal
}

export type Command = {
  readonly name: string
  readonly summary: string
  readonly usage: string
  /** Further lines of help. */
  readonly details?: readonly string[]
  readonly options?: Options
  /** The exit code. With `--json` the last line of standard output is one JSON object. */
  readonly run: (invocation: Invocation) => Promise<number>
}

const common: Options = {
  data: { type: 'string', value: 'DIR', help: 'data directory (default: $TACIT_HOME, or .tacit in the current directory)' },
  json: { type: 'boolean', help: 'print one JSON object as the last line' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
}

/** @throws UsageError */
export function parseCommandLine(
  command: Command,
  args: readonly string[],
): { readonly values: Values; readonly positionals: readonly string[] } {
  try {
    return parseArgs({ args: [...args], options: { ...common, ...command.options }, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'The command line cannot be read.', command.usage)
  }
}

export function helpText(command: Command): string {
  const options = Object.entries({ ...command.options, ...common }).map(([name, option]) => {
    const flag = `--${name}${option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : ''}`
    return `  ${flag.padEnd(26)} ${option.help}`
  })
  return [
    command.summary,
    '',
    `Usage: ${command.usage}`,
    ...(command.details === undefined ? [] : ['', ...command.details]),
    '',
    'Options:',
    ...options,
  ].join('\n')
}

/** The text of an option, or undefined. */
export function textOf(values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

/** The texts of an option that may repeat. */
export function textsOf(values: Values, name: string): readonly string[] {
  const value = values[name]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/**
 * The integer of an option.
 * @throws UsageError
 */
export function integerOf(
  values: Values,
  name: string,
  { fallback, min, max, usage }: { readonly fallback: number; readonly min: number; readonly max: number; readonly usage: string },
): number {
  const text = textOf(values, name)
  if (text === undefined) return fallback
  const value = Number(text)
  if (!/^-?\d+$/.test(text) || value < min || value > max)
    throw new UsageError(`--${name} must be a whole number from ${min} to ${max}.`, usage)
  return value
}
