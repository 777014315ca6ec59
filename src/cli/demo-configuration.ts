/** Where everything of the demo listens, as `host:port`. */
export type DemoPlaces = {
  readonly web: string;
  readonly secure: string;
  readonly admin: string;
  readonly welcome: string;
  readonly dashboard: string;
  readonly chats: readonly string[];
  readonly closeCodes: string;
};

/** The gateway's configuration for the demo, as a user would write it. */
export function demoConfiguration(places: DemoPlaces, log: { readonly access: boolean }): string {
  return `# Made by \`causeway demo\`. Change it and save it: it is live within a second, and open sessions stay.
admin: { address: "${places.admin}" }
log: { format: text, access: ${log.access} }
drain: { window: 200ms, grace: 2s }

listeners:
  web: { address: "${places.web}" }
  # The certificate was made for this demo. Replace the files, and new connections get the new one.
  secure:
    address: "${places.secure}"
    tls: { certificates: [ { cert: site.pem, key: site.key } ] }

upstreams:
  welcome: { endpoints: [ "${places.welcome}" ] }
  dashboard: { endpoints: [ "${places.dashboard}" ] }
  chat:
    endpoints: [ ${places.chats.map((chat) => `"${chat}"`).join(", ")} ]
    balance: least-sessions
  close-codes: { endpoints: [ "${places.closeCodes}" ] }

routes:
  welcome:
    match: { path: { exact: / } }
    to: welcome
  dashboard:
    match: { path: /dashboard }
    filters: [ { rewrite: { prefix: / } } ]
    to: dashboard
  chat:
    match: { path: /chat }
    filters: [ { rewrite: { prefix: / } } ]
    to: chat
  close-codes:
    match: { path: /close-codes }
    filters: [ { rewrite: { prefix: / } } ]
    to: close-codes
`;
}
