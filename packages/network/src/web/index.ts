export { createWebDialer, openWebSocket } from './web-socket.ts'
