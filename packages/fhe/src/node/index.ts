export { type CrewRunner, createCrew } from './crew-runner.ts'
