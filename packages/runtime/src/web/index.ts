export { loadModel } from './sandbox-model.ts'
