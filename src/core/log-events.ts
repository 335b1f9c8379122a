/** The log events: name (member `event` of a line), level and meaning. Names are stable; message texts are not. */

interface LogEventDefinition {
  /** `log` is the level `info` of LOG_LEVEL. */
  readonly level: 'error' | 'warn' | 'log' | 'debug';
  readonly meaning: string;
  /** Remedy for the operator. Unset: no action is needed. */
  readonly action?: string;
}

export const LOG_EVENTS = {
  // Start and end of the process
  'server.started': {
    level: 'log',
    meaning: 'The server listens. The line names its resource URL and the issuers of accepted tokens.',
  },
  'server.draining': {
    level: 'log',
    meaning: 'A signal stops the server. Readiness is off; requests are still answered until the drain ends.',
  },
  'server.requests_aborted': {
    level: 'error',
    meaning: 'Requests were aborted at shutdown, because they ran longer than the grace period.',
    action: 'Raise SHUTDOWN_GRACE_SECONDS above the duration of the slowest tool.',
  },
  'config.notice': {
    level: 'warn',
    meaning: 'A setting weakens a check or has no effect. The line names the setting.',
    action: 'Confirm that the setting is intended, or remove it.',
  },
  'config.proxy_used': {
    level: 'log',
    meaning: 'Outbound requests go through a proxy. The line names the variable and the proxy.',
  },
  'config.no_tools': {
    level: 'warn',
    meaning: 'The server has no tools, prompts, resources or upstreams.',
    action: 'Register a module in src/tool-modules.ts, mount an upstream, or set EXAMPLE_TOOLS=true.',
  },
  'fast_path.enabled': { level: 'log', meaning: 'Plain tools/call and tools/list take the fast path.' },
  'fast_path.disabled': {
    level: 'log',
    meaning: 'All requests take the full pipeline. The line names each cause.',
    action: 'Remove the named extension of Nest or Express if throughput matters.',
  },
  'metrics.listening': { level: 'log', meaning: 'Metrics and health are served on METRICS_PORT.' },
  'metrics.read_failed': {
    level: 'error',
    meaning: 'A request for metrics or health failed with 500.',
    action: 'Read the error of the line.',
  },
  'metrics.failed': {
    level: 'error',
    meaning: 'Metrics or the span of one request could not be written. The request itself was answered.',
    action: 'Read the error of the line.',
  },

  // Requests
  'http.request_completed': { level: 'log', meaning: 'A request was answered with a status below 500.' },
  'http.request_aborted': {
    level: 'log',
    meaning: 'The client closed the connection before the answer ended.',
  },
  'http.request_failed': {
    level: 'log',
    meaning: 'A request was answered with a status of 500 or more.',
    action: 'Find the line request.failed with the same request id.',
  },
  'request.denied': {
    level: 'log',
    meaning: 'A request was denied. `code` is the reason; the audit log has the record.',
  },
  'request.failed': {
    level: 'error',
    meaning: 'A request failed with a status of 500 or more. `err` has the cause.',
    action: 'Repair the named dependency, or report an unexpected error.',
  },
  'tool.failed': {
    level: 'error',
    meaning:
      'A tool, prompt or resource threw an unexpected error. The caller received the decision id alone.',
    action: 'Read the error of the line and correct the tool.',
  },
  'tool.unavailable': {
    level: 'warn',
    meaning: 'A tool could not answer, because a service that it depends on failed.',
    action: 'Repair the service that the line names.',
  },
  'mcp.sdk_error': { level: 'debug', meaning: 'The MCP SDK rejected a message or failed.' },

  // Audit log
  'audit.opened': { level: 'log', meaning: 'The audit log is open. The line names its file.' },
  'audit.open_failed': {
    level: 'error',
    meaning: 'The audit log cannot be opened at startup and AUDIT_ON_FAILURE is allow. Calls run unrecorded.',
    action: 'Repair the folder of AUDIT_FILE. The server tries again each second.',
  },
  'audit.start_not_recorded': {
    level: 'error',
    meaning: 'The record of this start could not be written and AUDIT_ON_FAILURE is allow.',
    action: 'Repair the disk of the audit log.',
  },
  'audit.write_failed': {
    level: 'error',
    meaning: 'A record could not be written. Calls are rejected unless AUDIT_ON_FAILURE is allow.',
    action: 'Free space on the disk of the audit log, or repair it.',
  },
  'audit.decision_not_recorded': {
    level: 'error',
    meaning:
      'A decision was not on the disk within 5 seconds. The call is rejected unless AUDIT_ON_FAILURE is allow.',
    action: 'Repair the disk of the audit log.',
  },
  'audit.write_recovered': {
    level: 'warn',
    meaning: 'The audit log is writable again. Delayed records and a record of the gap are written.',
  },
  'audit.records_lost': {
    level: 'error',
    meaning: 'The server stopped while records were unwritten. These records are lost.',
    action: 'Repair the disk before the next start, and note the gap.',
  },
  'audit.key_replaced': {
    level: 'warn',
    meaning: 'A damaged signing key that had signed no record was replaced by a new key.',
  },
  'audit.key_changed': {
    level: 'warn',
    meaning: 'The audit log is signed by another key than before. The change is on record.',
    action: 'Confirm that the key was changed on purpose, and give the new public key to auditors.',
  },
  'audit.config_changed': {
    level: 'warn',
    meaning: 'Security settings differ from those of the last start. The line names the members.',
    action: 'Confirm that the change was intended.',
  },
  'audit.calls_interrupted': {
    level: 'warn',
    meaning:
      'Calls of the last run have no outcome, because that run was killed. They are recorded as interrupted.',
  },
  'audit.checkpoint_signed': {
    level: 'log',
    meaning: 'A checkpoint signs the audit log up to SEQ:HASH. Keep it to detect a log that was cut off.',
  },
  'audit.end_not_signed': {
    level: 'error',
    meaning: 'The closing checkpoint could not be written at shutdown.',
    action: 'Repair the disk of the audit log.',
  },
  'audit.rotation_failed': {
    level: 'error',
    meaning:
      'The audit log could not be rotated. The current file keeps growing until a later attempt succeeds.',
    action: 'Repair the folder of AUDIT_FILE or its permissions.',
  },
  'audit.retention_failed': {
    level: 'error',
    meaning: 'Expired files of the audit log were not deleted. The next attempt runs after an hour.',
    action: 'Repair the folder of AUDIT_FILE or its permissions.',
  },

  // Sinks
  'sink.delivery_failed': {
    level: 'warn',
    meaning: 'Deliveries to a sink fail. Records wait in the audit log and are delivered later.',
    action: 'Repair the sink or the network before AUDIT_RETENTION_DAYS ends.',
  },
  'sink.delivery_recovered': { level: 'log', meaning: 'Deliveries to a sink succeed again.' },
  'sink.records_missing': {
    level: 'warn',
    meaning: 'Files of the audit log were deleted before their records were delivered.',
    action: 'Restore the files from a backup and deliver their records by hand.',
  },
  'sink.chain_changed': {
    level: 'warn',
    meaning: 'The audit log is a new chain. Its records are delivered from the first one on.',
    action: 'Confirm that the data directory was replaced on purpose.',
  },
  'sink.log_rewritten': {
    level: 'warn',
    meaning: 'A delivered record is missing from the audit log or differs. All records are delivered again.',
    action: 'Compare the sink with the audit log: the log was cut or rewritten.',
  },

  // Issuers and their keys
  'jwks.refresh_failed': {
    level: 'warn',
    meaning: 'Signing keys could not be refreshed. The cached keys stay in use up to their maximum age.',
    action: 'Check that the issuer and its jwks_uri can be reached from the server.',
  },
  'jwks.expired': {
    level: 'warn',
    meaning: 'The cached signing keys exceeded their maximum age. Tokens of this issuer get 503.',
    action: 'Restore the connection to the issuer.',
  },
  'jwks.unavailable': {
    level: 'warn',
    meaning: 'No usable signing keys of this issuer are known. Its tokens get 503.',
    action: 'Check that the issuer and its jwks_uri can be reached from the server.',
  },
  'jwks.refreshed': { level: 'log', meaning: 'Signing keys were fetched after a failure.' },
  'jwks.keys_dropped': {
    level: 'warn',
    meaning: 'A key set has faulty keys. They are not used; the line names them.',
    action: 'Have the issuer correct its key set.',
  },
  'jwks.keys_ignored': {
    level: 'log',
    meaning: 'A key set has keys for other purposes. They are not used; the line names them.',
  },
  'issuer_metadata.refresh_failed': {
    level: 'warn',
    meaning:
      'Issuer metadata could not be refreshed. The cached document stays in use up to its maximum age.',
    action: 'Check that the metadata URL of the issuer can be reached from the server.',
  },
  'issuer_metadata.expired': {
    level: 'warn',
    meaning: 'The cached issuer metadata exceeded its maximum age and is no longer used.',
    action: 'Restore the connection to the issuer.',
  },
  'issuer_metadata.unavailable': {
    level: 'warn',
    meaning: 'No issuer metadata is known. Requests that need it get 503.',
    action: 'Check that the metadata URL of the issuer can be reached from the server.',
  },
  'issuer_metadata.refreshed': { level: 'log', meaning: 'Issuer metadata was fetched after a failure.' },

  // Policy
  'policy.loaded': {
    level: 'log',
    meaning: 'The policy is in force at startup. The line names allowed and blocked targets.',
  },
  'policy.reloaded': { level: 'log', meaning: 'A changed policy is in force and on record.' },
  'policy.reload_failed': {
    level: 'error',
    meaning: 'A changed policy is invalid. The earlier policy stays in force.',
    action: 'Correct the named lines; `mcp-gate policy check` shows all faults.',
  },
  'policy.reload_delayed': {
    level: 'error',
    meaning:
      'A changed policy could not be recorded and is not in force. The server tries again each second.',
    action: 'Repair the disk of the audit log.',
  },
  'policy.notice': {
    level: 'warn',
    meaning: 'A rule or a file of the policy has no effect or is unusual.',
    action: 'Correct the named rule or setting.',
  },

  // Rates
  'rate_limit.store_unavailable': {
    level: 'error',
    meaning: 'The database of the counters does not answer. This instance counts alone.',
    action: 'Restore the connection to the database.',
  },
  'rate_limit.store_available': { level: 'log', meaning: 'All instances share their counters again.' },
  'rate_limit.record_failed': {
    level: 'error',
    meaning: 'A change of the state of the rate limit store could not be recorded.',
    action: 'Repair the disk of the audit log.',
  },
  'rate_limit.shadow_count_failed': {
    level: 'error',
    meaning: 'A shadow rate rule could not count a call. The call is not affected.',
    action: 'Read the error of the line.',
  },

  // Revocation and signals
  'revocation.read_failed': {
    level: 'error',
    meaning:
      'The revocation list cannot be read. The known list is used for REVOCATION_MAX_AGE_SECONDS, then calls get 503.',
    action: 'Restore the connection to the database.',
  },
  'revocation.read_recovered': { level: 'log', meaning: 'The revocation list is read again.' },
  'revocation.record_failed': {
    level: 'error',
    meaning: 'A revocation is in force but could not be recorded.',
    action: 'Repair the disk of the audit log.',
  },
  'signal.redelivered': {
    level: 'log',
    meaning: 'A transmitter delivered a security event token again. It had no further effect.',
  },
  'signal.acknowledged': {
    level: 'log',
    meaning: 'An event of a transmitter caused no revocation. The line has the reason.',
  },
  'signal.stream_stopped': {
    level: 'warn',
    meaning: 'A transmitter paused or disabled its stream. No further events arrive.',
    action: 'Enable the stream at the transmitter.',
  },

  // Upstreams
  'upstream.failed': {
    level: 'warn',
    meaning: 'An upstream could not be reached, started or read. Its calls fail until it answers.',
    action: 'Run `mcp-gate upstreams test` and correct the named cause.',
  },
  'upstream.stderr': { level: 'debug', meaning: 'A line that an upstream process wrote to stderr.' },
  'upstream.disconnected': { level: 'debug', meaning: 'A connection to an upstream ended.' },
  'upstream.protocol_error': { level: 'debug', meaning: 'An upstream sent an invalid message.' },
  'upstream.list_failed': {
    level: 'debug',
    meaning: 'An upstream announced a changed tool list and did not deliver it.',
  },
  'upstream.mounted': {
    level: 'log',
    meaning: 'The tools of an upstream were accepted at first use (`trust_first_use`).',
  },
  'upstream.tool_changed': {
    level: 'warn',
    meaning: 'Tools of an upstream differ from the pinned definitions. They are withheld until accepted.',
    action: 'Review with `mcp-gate upstreams diff`, then run `mcp-gate upstreams accept`.',
  },
  'upstream.tool_accepted': { level: 'log', meaning: 'An operator accepted changed tools of an upstream.' },
  'upstream.tool_restored': {
    level: 'log',
    meaning: 'The tools of an upstream match the pinned definitions again.',
  },
  'upstream.tool_omitted': {
    level: 'warn',
    meaning: 'A tool of an upstream is not offered: its name or definition is unusable.',
    action: 'Rename it in UPSTREAMS_FILE, or have the upstream correct it.',
  },
  'upstream.tool_adjusted': {
    level: 'warn',
    meaning: 'A tool of an upstream is offered with an adjusted definition. The line names the change.',
    action: 'Have the upstream correct the definition.',
  },
  'upstream.pattern_unmatched': {
    level: 'warn',
    meaning: 'A pattern of UPSTREAMS_FILE matches no tool of the upstream.',
    action: 'Correct the pattern.',
  },
  'upstream.policy_rejected': {
    level: 'error',
    meaning: 'The policy does not hold over the new tools of an upstream. Its earlier tools stay.',
    action: 'Correct the rule or the condition that the line names.',
  },
  'upstream.mount_failed': {
    level: 'error',
    meaning: 'A change of upstream tools could not be recorded, saved or applied. The earlier tools stay.',
    action: 'Read the error of the line.',
  },
  'upstream.pins_unreadable': {
    level: 'error',
    meaning: 'The file of the pins is invalid, empty or missing. The earlier pins stay in force.',
    action: 'Restore the file from a backup.',
  },
  'upstream.identity_key_replaced': {
    level: 'warn',
    meaning:
      'A damaged key for identity headers was replaced by a new key. Upstreams fetch it by its key id.',
  },

  // Storage and certificates
  'database.open_failed': {
    level: 'error',
    meaning: 'The database cannot be opened. The server tries again when the database is needed.',
    action: 'Check DATABASE_URL and that the database can be reached.',
  },
  'database.connection_lost': {
    level: 'warn',
    meaning: 'A connection to the database was lost. A new one is opened when it is needed.',
    action: 'Check the database and the network if this repeats.',
  },
  'examples.migration_failed': {
    level: 'error',
    meaning: 'The tables of the example tools cannot be created.',
    action: 'Read the error of the line, or unset EXAMPLE_TOOLS.',
  },
  'tls.certificate_reloaded': {
    level: 'log',
    meaning: 'A renewed TLS certificate is in use for new connections.',
  },
  'tls.certificate_rejected': {
    level: 'error',
    meaning: 'Renewed TLS files are invalid. The earlier certificate stays in use.',
    action: 'Correct the files of TLS_CERT_FILE and TLS_KEY_FILE.',
  },
} as const satisfies Readonly<Record<string, LogEventDefinition>>;

export type LogEvent = keyof typeof LOG_EVENTS;
