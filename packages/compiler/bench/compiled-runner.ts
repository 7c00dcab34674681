import type { CompiledModel } from '../src/index.ts'

/** A compiled module on this thread, input copied in and output copied out, as onnxruntime's API does. */
export type CompiledRunner = { run(): Uint8Array; readonly memory: Uint8Array; call(name: string): void }

export function openCompiled({ wasm, manifest }: CompiledModel, input: Uint8Array): CompiledRunner {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm))
  const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
  const [inputTensor] = manifest.inputs
  const [output] = manifest.outputs
  const outputBytes = (output?.shape ?? []).reduce((product, size) => product * size, output?.elementType === 'float32' ? 4 : 1)
  const run = exports['run'] as () => void
  const inputOffset = inputTensor?.offset ?? 0
  const outputOffset = output?.offset ?? 0
  return {
    memory,
    call: (name) => (exports[name] as () => void)(),
    run: () => {
      memory.set(input, inputOffset)
      run()
      return memory.slice(outputOffset, outputOffset + outputBytes)
    },
  }
}
