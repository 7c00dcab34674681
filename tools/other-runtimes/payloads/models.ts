// Compiled modules: hashes of answers and of every boundary, before and after the engine has compiled them for speed.
import { bytesToHex } from '@noble/hashes/utils.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { type ModuleManifest, type ModuleTensor, moduleTensorBytes } from '@tacit/protocol'
import type { Assets } from '../payload.ts'

const repetitions = 40

export async function run({ module, bytes }: Assets): Promise<readonly string[]> {
  const names = JSON.parse(new TextDecoder().decode(bytes('models.json'))) as readonly string[] // prepared by prepare.ts
  return names.map((name) => {
    const manifest = JSON.parse(new TextDecoder().decode(bytes(`${name}.json`))) as ModuleManifest // written by compileModel
    const { exports } = new WebAssembly.Instance(module(`${name}.wasm`))
    const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
    const call = (key: string): void => (exports[key] as () => void)()
    const hashOf = ({ offset, ...tensor }: ModuleTensor): string =>
      bytesToHex(sha256(memory.subarray(offset, offset + moduleTensorBytes(tensor))))
    const fill = (): void => memory.set(bytes(`${name}.bin`), manifest.inputs[0]?.offset ?? 0)
    const traced = (): string => {
      fill()
      const boundaries = manifest.layers.map(({ runExport, traceExport, boundary }) => {
        call(runExport)
        call(traceExport)
        return hashOf(boundary)
      })
      call(manifest.outputsExport)
      return bytesToHex(sha256(new TextEncoder().encode([...boundaries, ...manifest.outputs.map(hashOf)].join())))
    }
    const answer = (): string => {
      fill()
      call(manifest.runExport)
      return manifest.outputs.map(hashOf).join()
    }
    const first = [answer(), traced()].join(' ')
    for (let i = 0; i < repetitions; i++) call(manifest.runExport)
    return `${name} ${[answer(), traced()].join(' ') === first ? first : 'unstable'}`
  })
}
