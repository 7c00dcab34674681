// Order and names of an obfuscated build.
import type { Program, ProgramLayer, Region } from '../program/program.ts'
import type { SeededRandom } from './seeded-random.ts'

/**
 * Layers in a random order that keeps every dependency: a layer follows all that write what it reads, and all that read what
 * it overwrites.
 */
export function shuffleProgram(program: Program, random: SeededRandom): Program {
  const waiting = [...program.layers]
  const layers: ProgramLayer[] = []
  while (waiting.length > 0) {
    const ready = waiting.filter((layer, place) => waiting.slice(0, place).every((earlier) => !conflicts(earlier, layer)))
    const chosen = ready[random.below(ready.length)] ?? waiting[0]
    if (chosen === undefined) break
    waiting.splice(waiting.indexOf(chosen), 1)
    layers.push(chosen)
  }
  return { ...program, layers }
}

function regionsOf(layer: ProgramLayer, side: 'reads' | 'writes'): ReadonlySet<Region> {
  return new Set(layer.steps.flatMap((step) => step[side]))
}

function conflicts(earlier: ProgramLayer, later: ProgramLayer): boolean {
  const [written, read] = [regionsOf(earlier, 'writes'), regionsOf(earlier, 'reads')]
  return later.steps.some(
    (step) => step.reads.some((region) => written.has(region)) || step.writes.some((region) => written.has(region) || read.has(region)),
  )
}

/** Layers without operators, and named after their canonical index where the model's own names would show (q8 has none). */
export function withoutNames(program: Program): Program {
  const nameless = (name: string): boolean => /^(?:a\d+|argmax\(a\d+\))$/.test(name)
  const strip = (layer: ProgramLayer): ProgramLayer => ({
    ...layer,
    name: nameless(layer.name) ? layer.name : `v${layer.index}`,
    operator: 'layer',
  })
  return { ...program, layers: program.layers.map(strip) }
}
