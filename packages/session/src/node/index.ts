export { nodeAead } from './node-aead.ts'
