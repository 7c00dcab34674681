export { type LlamaEngine, type LlamaEngineOptions, openLlamaEngine } from './llama-engine.ts'
export { type DetectedOllama, defaultOllamaAddress, detectOllama, type OllamaModel, ollamaAddress } from './ollama-api.ts'
export { type OllamaEngineOptions, openOllamaEngine } from './ollama-engine.ts'
