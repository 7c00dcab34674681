export { type CircuitPlan, keyNeedsOf, planCircuit } from './circuit/plan.ts'
