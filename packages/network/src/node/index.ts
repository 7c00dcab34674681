export { isLoopback, type ListenOptions } from './listen.ts'
export { type RelayLimits, relayLimitDefaults } from './relay-limits.ts'
export { type Relay, type RelayOptions, serveRelay } from './relay-server.ts'
export {
  type HttpHandler,
  type HttpOptions,
  type HttpRequest,
  type HttpResponse,
  type HttpRoutes,
  type HttpServer,
  serveHttp,
} from './serve-http.ts'
export { listenWebSocket, type WebSocketListenerOptions } from './websocket-listener.ts'
export { createNodeDialer, openNodeSocket } from './ws-socket.ts'
