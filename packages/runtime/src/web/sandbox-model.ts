import type { ModuleManifest } from '@tacit/protocol'
import { type WorkerReply, workerSource } from '../sandbox/sandbox-worker-main.ts'
import { type LoadModelOptions, loadModelOn, type SandboxedModel } from '../sandbox/sandboxed-model.ts'
import type { SandboxHost } from '../sandbox/worker-group.ts'

const host: SandboxHost = {
  start({ onReply, onExit }) {
    const url = URL.createObjectURL(new Blob([workerSource('web')], { type: 'text/javascript' }))
    const worker = new Worker(url)
    worker.onmessage = (event: MessageEvent<WorkerReply>) => onReply(event.data)
    worker.onerror = (event) => onExit(event.message)
    return {
      send: (request) => worker.postMessage(request),
      terminate: () => {
        worker.terminate()
        URL.revokeObjectURL(url)
      },
    }
  },
  delay(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * A compiled model in a web worker, ended at the deadline of each run. The page's content security policy must allow
 * `worker-src blob:`.
 *
 * @example
 * await using model = await loadModel(wasm, manifest)
 * @throws SandboxRefusedError
 */
export function loadModel(wasm: Uint8Array, manifest: ModuleManifest, options: LoadModelOptions = {}): Promise<SandboxedModel> {
  return loadModelOn(host, { wasm, manifest }, options)
}
