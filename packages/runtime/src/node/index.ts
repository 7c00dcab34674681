export { type LlamaEngine, type LlamaEngineOptions, openLlamaEngine } from './llama-engine.ts'
