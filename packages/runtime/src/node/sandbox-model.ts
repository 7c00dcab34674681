import { Worker } from 'node:worker_threads'
import type { ModuleManifest } from '@tacit/protocol'
import { workerSource } from '../sandbox/sandbox-worker-main.ts'
import { type LoadModelOptions, loadModelOn, type SandboxedModel } from '../sandbox/sandboxed-model.ts'
import type { SandboxHost } from '../sandbox/worker-group.ts'

/** Worker threads of this process. */
export const nodeSandboxHost: SandboxHost = {
  start({ onReply, onExit }) {
    // Nothing of this process reaches the worker: no environment, no arguments, no standard streams.
    const worker = new Worker(workerSource('node'), {
      eval: true,
      env: {},
      argv: [],
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
    })
    worker.on('message', onReply)
    worker.on('error', (error) => onExit(String(error)))
    worker.on('exit', (code) => onExit(`worker exit ${code}`))
    // An idle worker does not keep the process alive; a run is waited for through its deadline.
    worker.unref()
    return {
      send: (request) => worker.postMessage(request),
      terminate: () => void worker.terminate(),
    }
  },
  delay(ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
}

/**
 * A compiled model in a worker thread, ended at the deadline of each run.
 *
 * @example
 * await using model = await loadModel(wasm, manifest)
 * const { outputs, trace } = await model.run({ x: { type: 'f32', shape: [1, 784], data } }, { trace: 'hashes', deadlineMs: 500 })
 * @throws SandboxRefusedError
 */
export function loadModel(wasm: Uint8Array, manifest: ModuleManifest, options: LoadModelOptions = {}): Promise<SandboxedModel> {
  return loadModelOn(nodeSandboxHost, { wasm, manifest }, options)
}
