import type { Metrics } from '../../../tools/bench.ts'
import type { SquareNetwork } from '../src/index.ts'
export async function benchThreads(_network: SquareNetwork, _report: (line: string) => void): Promise<Metrics> {
  return {}
}
