// tacit models trace-leak: whose copy a leaked module is, for the owner of the model.
import { traceLeak as traceLeakedModule } from '@tacit/compiler'
import { type Invocation, textOf } from '../command.ts'
import { UsageError } from '../errors.ts'
import { printable, table } from '../format.ts'
import { readHolders } from '../holders-file.ts'
import { readBounded } from '../module-files.ts'
import { profileOf } from './models-compile.ts'

export async function traceLeak({ values, say, json }: Invocation, file: string, usage: string): Promise<number> {
  const [original, list] = [textOf(values, 'original'), textOf(values, 'holders')]
  if (original === undefined || list === undefined)
    throw new UsageError('--original and --holders are needed: the model, and who has a copy.', usage)
  const leaked = readBounded(file)
  const report = await traceLeakedModule(leaked, {
    source: readBounded(original),
    options: { profile: profileOf(values, usage) },
    ...readHolders(list),
  })
  const { likelyHolder, ranking } = report
  for (const line of table(ranking.slice(0, 10).map(({ holder, score }) => [printable(holder), score.toFixed(2)]))) say(line)
  say(likelyHolder === undefined ? 'No holder stands out.' : `The likely holder is ${printable(likelyHolder)}.`)
  say('This is evidence for you only: whoever has the owner secret can make a file that names anyone, and a mark can be removed.')
  if (json) console.log(JSON.stringify({ ok: true, likelyHolder: likelyHolder ?? null, ranking, evidenceFor: 'owner' }))
  return 0
}
