`default_nettype none
// PCIe endpoint: one function with a type-0 header, registers in BAR0, local memory in BAR2, a DMA engine fed by one descriptor ring, and
// MSI-X, on one link pair. Ring reads use the tags below FETCH_TAGS, the engine those above. All posted writes of the function (data,
// completion records, interrupts) share the transmit arbiter and keep their order.
module pcie_endpoint #(
  // Bits of payload per beat: 128, 256 or 512
  parameter int DATA_W = 256,
  // Read requests in flight of the engine; of the descriptor fetcher (2, 4, 8, 16)
  parameter int TAGS = 64,
  parameter int FETCH_TAGS = 16,
  // Operations in flight, a power of two
  parameter int OPERATIONS = 128,
  // Size of local memory (BAR2) in bytes, a power of two of at least 1 MiB
  parameter int LOCAL_MEMORY_BYTES = 2097152,
  // Requests to the function that it can hold, as credits on its link (1..127)
  parameter int NONPOSTED_HEADERS = 32,
  // Largest payload: code 0..5 = 128..4096 bytes
  parameter [2:0] MAX_PAYLOAD_SUPPORTED = 3'd2,
  // Derived: bits of `empty`
  parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
  input  wire               clk_i,
  input  wire               rst_i,
  input  wire               link_up_i,

  // Features that are there, static: {extended tags, no snoop, ID-based ordering, relaxed ordering, PASID}
  input  wire  [4:0]        straps_i,

  // Link in
  input  wire               rx_valid_i,
  output wire               rx_ready_o,
  input  wire               rx_sop_i,
  input  wire               rx_eop_i,
  input  wire  [DATA_W-1:0] rx_data_i,
  input  wire  [EMPTY_W-1:0] rx_empty_i,
  input  wire  [127:0]      rx_hdr_i,
  input  wire  [31:0]       rx_prefix_i,
  input  wire               rx_prefix_valid_i,
  input  wire               rx_err_i,
  output wire  [59:0]       rx_credit_limit_o,
  output wire  [5:0]        rx_credit_infinite_o,

  // Link out
  output wire               tx_valid_o,
  input  wire               tx_ready_i,
  output wire               tx_sop_o,
  output wire               tx_eop_o,
  output wire  [DATA_W-1:0] tx_data_o,
  output wire  [EMPTY_W-1:0] tx_empty_o,
  output wire  [127:0]      tx_hdr_o,
  output wire  [31:0]       tx_prefix_o,
  output wire               tx_prefix_valid_o,
  output wire               tx_err_o,
  input  wire  [59:0]       tx_credit_limit_i,
  input  wire  [5:0]        tx_credit_infinite_i
);

  localparam int LOCAL_ADDRESS_W = $clog2(LOCAL_MEMORY_BYTES);
  localparam int VECTORS = 8;

  // Received streams.
  wire               posted_valid, posted_ready, posted_sop, posted_eop, posted_err;
  wire [DATA_W-1:0]  posted_data;
  wire [127:0]       posted_hdr;
  wire               nonposted_valid, nonposted_ready, nonposted_sop, nonposted_eop, nonposted_err;
  wire [31:0]        nonposted_data;
  wire [DATA_W-33:0] unused_nonposted_data;
  wire [127:0]       nonposted_hdr;
  wire               completion_valid, completion_ready, completion_sop, completion_eop, completion_err;
  wire [DATA_W-1:0]  completion_data;
  wire [127:0]       completion_hdr;
  wire [EMPTY_W-1:0] unused_posted_empty, unused_nonposted_empty, unused_completion_empty;
  wire [31:0]        unused_posted_prefix, unused_nonposted_prefix, unused_completion_prefix;
  wire               unused_posted_prefix_valid, unused_nonposted_prefix_valid, unused_completion_prefix_valid;

  tlp_receive_buffer #(
    .DATA_W            (DATA_W),
    .NONPOSTED_HEADERS (NONPOSTED_HEADERS),
    .COMPLETION_HEADERS(64),
    .COMPLETION_DATA   (512)
  ) u_receive (
    .clk_i                    (clk_i),
    .rst_i                    (rst_i),
    .link_up_i                (link_up_i),
    .rx_valid_i               (rx_valid_i),
    .rx_ready_o               (rx_ready_o),
    .rx_sop_i                 (rx_sop_i),
    .rx_eop_i                 (rx_eop_i),
    .rx_data_i                (rx_data_i),
    .rx_empty_i               (rx_empty_i),
    .rx_hdr_i                 (rx_hdr_i),
    .rx_prefix_i              (rx_prefix_i),
    .rx_prefix_valid_i        (rx_prefix_valid_i),
    .rx_err_i                 (rx_err_i),
    .rx_credit_limit_o        (rx_credit_limit_o),
    .rx_credit_infinite_o     (rx_credit_infinite_o),
    .posted_valid_o           (posted_valid),
    .posted_ready_i           (posted_ready),
    .posted_sop_o             (posted_sop),
    .posted_eop_o             (posted_eop),
    .posted_data_o            (posted_data),
    .posted_empty_o           (unused_posted_empty),
    .posted_hdr_o             (posted_hdr),
    .posted_prefix_o          (unused_posted_prefix),
    .posted_prefix_valid_o    (unused_posted_prefix_valid),
    .posted_err_o             (posted_err),
    .nonposted_valid_o        (nonposted_valid),
    .nonposted_ready_i        (nonposted_ready),
    .nonposted_sop_o          (nonposted_sop),
    .nonposted_eop_o          (nonposted_eop),
    .nonposted_data_o         ({unused_nonposted_data, nonposted_data}),
    .nonposted_empty_o        (unused_nonposted_empty),
    .nonposted_hdr_o          (nonposted_hdr),
    .nonposted_prefix_o       (unused_nonposted_prefix),
    .nonposted_prefix_valid_o (unused_nonposted_prefix_valid),
    .nonposted_err_o          (nonposted_err),
    .completion_valid_o       (completion_valid),
    .completion_ready_i       (completion_ready),
    .completion_sop_o         (completion_sop),
    .completion_eop_o         (completion_eop),
    .completion_data_o        (completion_data),
    .completion_empty_o       (unused_completion_empty),
    .completion_hdr_o         (completion_hdr),
    .completion_prefix_o      (unused_completion_prefix),
    .completion_prefix_valid_o(unused_completion_prefix_valid),
    .completion_err_o         (completion_err)
  );

  // Configuration space.
  wire         cfg_valid, cfg_write;
  wire [9:0]   cfg_register;
  wire [3:0]   cfg_enables;
  wire [31:0]  cfg_wdata, cfg_rdata;
  wire [15:0]  cfg_target, id;
  wire         memory_enable, bus_master_enable;
  wire [31:0]  bar0;
  wire [63:0]  bar2;
  wire [2:0]   max_payload, max_read_request;
  wire         extended_tag_enable, relaxed_ordering_enable, no_snoop_enable, id_ordering_enable;
  wire         completion_timeout_disable;
  wire         msix_enable, msix_mask;
  wire [2:0]   pasid_enable;
  wire         unsupported_posted, unsupported_nonposted;
  wire         unexpected_engine, unexpected_fetch;
  wire         engine_idle, engine_quiet, fetch_idle, recorder_idle, recorder_quiet, fetch_valid;

  pci_config_type0 #(
    .MAX_PAYLOAD_SUPPORTED(MAX_PAYLOAD_SUPPORTED),
    .LOCAL_MEMORY_BYTES   (LOCAL_MEMORY_BYTES)
  ) u_config (
    .clk_i                       (clk_i),
    .rst_i                       (rst_i),
    .features_i                  (straps_i),
    .cfg_valid_i                 (cfg_valid),
    .cfg_write_i                 (cfg_write),
    .cfg_register_i              (cfg_register),
    .cfg_enables_i               (cfg_enables),
    .cfg_wdata_i                 (cfg_wdata),
    .cfg_target_i                (cfg_target),
    .cfg_rdata_o                 (cfg_rdata),
    // Role-based error reporting: unsupported non-posted requests and unexpected completions are advisory.
    .set_correctable_i           (unsupported_nonposted || unexpected_engine || unexpected_fetch),
    .set_nonfatal_i              (unsupported_posted),
    .set_unsupported_i           (unsupported_posted || unsupported_nonposted),
    .transactions_pending_i      (!engine_idle || !fetch_idle),
    .id_o                        (id),
    .memory_enable_o             (memory_enable),
    .bus_master_enable_o         (bus_master_enable),
    .bar0_o                      (bar0),
    .bar2_o                      (bar2),
    .max_payload_o               (max_payload),
    .max_read_request_o          (max_read_request),
    .extended_tag_enable_o       (extended_tag_enable),
    .relaxed_ordering_enable_o   (relaxed_ordering_enable),
    .no_snoop_enable_o           (no_snoop_enable),
    .id_ordering_enable_o        (id_ordering_enable),
    .completion_timeout_disable_o(completion_timeout_disable),
    .msix_enable_o               (msix_enable),
    .msix_mask_o                 (msix_mask),
    .pasid_enable_o              (pasid_enable)
  );

  // Requests from outside.
  wire                       bar_write_valid, bar_write_ready, bar_read_valid, bar_read_ready, bar_read_data_valid;
  wire [LOCAL_ADDRESS_W-1:0] bar_write_address, bar_read_address;
  wire [DATA_W-1:0]          bar_write_data;
  wire [DATA_W/8-1:0]        bar_write_strobe;
  wire [DATA_W-1:0]          local_read_data;
  wire                       register_write;
  wire [13:0]                register_write_address, register_read_address;
  wire [31:0]                register_wdata, register_rdata;
  wire [3:0]                 register_strobe;
  wire                       answer_valid, answer_ready, read_valid, read_ready, read_sop, read_eop;
  wire [DATA_W-1:0]          answer_data, read_data;
  wire [EMPTY_W-1:0]         answer_empty, read_empty;
  wire [127:0]               answer_hdr, read_hdr;

  endpoint_posted_completer #(
    .DATA_W            (DATA_W),
    .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) u_posted (
    .clk_i             (clk_i),
    .rst_i             (rst_i),
    .memory_enable_i   (memory_enable),
    .bar0_i            (bar0),
    .bar2_i            (bar2),
    .posted_valid_i    (posted_valid),
    .posted_ready_o    (posted_ready),
    .posted_sop_i      (posted_sop),
    .posted_eop_i      (posted_eop),
    .posted_data_i     (posted_data),
    .posted_hdr_i      (posted_hdr),
    .posted_err_i      (posted_err),
    .local_valid_o     (bar_write_valid),
    .local_ready_i     (bar_write_ready),
    .local_address_o   (bar_write_address),
    .local_data_o      (bar_write_data),
    .local_strobe_o    (bar_write_strobe),
    .register_write_o  (register_write),
    .register_address_o(register_write_address),
    .register_data_o   (register_wdata),
    .register_strobe_o (register_strobe),
    .unsupported_o     (unsupported_posted)
  );

  endpoint_nonposted_completer #(
    .DATA_W            (DATA_W),
    .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) u_nonposted (
    .clk_i              (clk_i),
    .rst_i              (rst_i),
    .id_i               (id),
    .memory_enable_i    (memory_enable),
    .bus_master_enable_i(bus_master_enable),
    .bar0_i             (bar0),
    .bar2_i             (bar2),
    .max_payload_i      (max_payload),
    .quiet_i            (engine_quiet && recorder_quiet && !fetch_valid),
    .nonposted_valid_i  (nonposted_valid),
    .nonposted_ready_o  (nonposted_ready),
    .nonposted_sop_i    (nonposted_sop),
    .nonposted_eop_i    (nonposted_eop),
    .nonposted_data_i   (nonposted_data),
    .nonposted_hdr_i    (nonposted_hdr),
    .nonposted_err_i    (nonposted_err),
    .cfg_valid_o        (cfg_valid),
    .cfg_write_o        (cfg_write),
    .cfg_register_o     (cfg_register),
    .cfg_enables_o      (cfg_enables),
    .cfg_wdata_o        (cfg_wdata),
    .cfg_target_o       (cfg_target),
    .cfg_rdata_i        (cfg_rdata),
    .register_address_o (register_read_address),
    .register_data_i    (register_rdata),
    .local_valid_o      (bar_read_valid),
    .local_ready_i      (bar_read_ready),
    .local_address_o    (bar_read_address),
    .local_data_valid_i (bar_read_data_valid),
    .local_data_i       (local_read_data),
    .answer_valid_o     (answer_valid),
    .answer_ready_i     (answer_ready),
    .answer_data_o      (answer_data),
    .answer_empty_o     (answer_empty),
    .answer_hdr_o       (answer_hdr),
    .data_valid_o       (read_valid),
    .data_ready_i       (read_ready),
    .data_sop_o         (read_sop),
    .data_eop_o         (read_eop),
    .data_data_o        (read_data),
    .data_empty_o       (read_empty),
    .data_hdr_o         (read_hdr),
    .unsupported_o      (unsupported_nonposted)
  );

  // Registers and MSI-X.
  wire         table_write;
  wire [31:0]  table_rdata, pending;
  wire         abort, discard, soft_reset;
  wire [31:0]  completion_timeout, register_timeout;
  wire         ring_enable, ring_setup_valid, ring_running, ring_phase, restart, fetch_stop;
  wire [63:0]  ring_base, completion_base;
  wire [3:0]   ring_log2, ring_fetch_code;
  wire [15:0]  ring_tail, completion_head, ring_head, completion_tail;
  wire [2:0]   interrupt_vector;
  wire [7:0]   interrupt_count, ring_stop_reason;
  wire [31:0]  interrupt_cycles;
  wire         descriptor_valid, descriptor_ready, interrupt;
  wire         stat_record, stat_message, stat_read_request, stat_completion_beat, stat_write_beat, stat_timeout_engine;
  wire         stat_timeout_fetch, stat_tag_wait;
  wire         message_valid, message_ready;
  wire [63:0]  message_address;
  wire [31:0]  message_data;

  assign completion_timeout = completion_timeout_disable ? 32'd0 : register_timeout;

  endpoint_registers #(
    .LOG2_BEAT_BYTES ($clog2(DATA_W / 8)),
    .LOG2_LOCAL_BYTES(LOCAL_ADDRESS_W),
    .TAGS            (TAGS),
    .VECTORS         (VECTORS)
  ) u_registers (
    .clk_i               (clk_i),
    .rst_i               (rst_i),
    .features_i          (straps_i),
    .write_i             (register_write),
    .write_address_i     (register_write_address),
    .wdata_i             (register_wdata),
    .strobe_i            (register_strobe),
    .read_address_i      (register_read_address),
    .rdata_o             (register_rdata),
    .table_write_o       (table_write),
    .table_rdata_i       (table_rdata),
    .pending_i           (pending),
    .abort_o             (abort),
    .discard_o           (discard),
    .reset_o             (soft_reset),
    .completion_timeout_o(register_timeout),
    .busy_i              (!engine_idle || !fetch_idle || !recorder_idle),
    .bus_master_enable_i (bus_master_enable),
    .ring_enable_o       (ring_enable),
    .ring_setup_valid_o  (ring_setup_valid),
    .ring_base_o         (ring_base),
    .ring_log2_o         (ring_log2),
    .ring_tail_o         (ring_tail),
    .completion_base_o   (completion_base),
    .completion_head_o   (completion_head),
    .interrupt_vector_o  (interrupt_vector),
    .interrupt_count_o   (interrupt_count),
    .interrupt_cycles_o  (interrupt_cycles),
    .ring_head_i         (ring_head),
    .completion_tail_i   (completion_tail),
    .ring_running_i      (ring_running),
    .ring_phase_i        (ring_phase),
    .ring_stop_reason_i  (ring_stop_reason),
    .ring_fetch_code_i   (ring_fetch_code),
    .statistics_i        ({stat_tag_wait, stat_timeout_engine || stat_timeout_fetch, unexpected_engine || unexpected_fetch,
                           stat_write_beat, stat_completion_beat, stat_read_request, stat_message, stat_record,
                           descriptor_valid && descriptor_ready})
  );

  msix #(
    .VECTORS(VECTORS)
  ) u_msix (
    .clk_i            (clk_i),
    .rst_i            (rst_i),
    .enable_i         (msix_enable),
    .function_mask_i  (msix_mask),
    .table_write_i    (table_write),
    .write_vector_i   (register_write_address[6:4]),
    .write_dword_i    (register_write_address[3:2]),
    .wdata_i          (register_wdata),
    .strobe_i         (register_strobe),
    .read_vector_i    (register_read_address[6:4]),
    .read_dword_i     (register_read_address[3:2]),
    .table_rdata_o    (table_rdata),
    .pending_o        (pending),
    .event_valid_i    (interrupt),
    .event_vector_i   (interrupt_vector),
    .message_valid_o  (message_valid),
    .message_ready_i  (message_ready),
    .message_address_o(message_address),
    .message_data_o   (message_data)
  );

  // Completions: tags below FETCH_TAGS belong to the fetcher.
  wire [1:0] completion_to_valid, completion_to_ready;

  tlp_stream_demux #(
    .OUTPUTS(2)
  ) u_completion_demux (
    .clk_i      (clk_i),
    .rst_i      (rst_i),
    .in_valid_i (completion_valid),
    .in_ready_o (completion_ready),
    .in_sop_i   (completion_sop),
    .in_eop_i   (completion_eop),
    .select_i   (completion_hdr[47:40] < 8'(FETCH_TAGS) ? 2'b10 : 2'b01),
    .out_valid_o(completion_to_valid),
    .out_ready_i(completion_to_ready)
  );

  // Descriptor ring.
  wire         fetched_valid, fetched_ready, fetched_continues, fetched_continued, fetch_ready;
  wire [511:0] fetched_data, descriptor_data;
  wire [15:0]  fetched_index, descriptor_id;
  wire [3:0]   fetched_code;
  wire [127:0] fetch_hdr;

  descriptor_fetcher #(
    .DATA_W(DATA_W),
    .TAGS  (FETCH_TAGS)
  ) u_fetcher (
    .clk_i                 (clk_i),
    .rst_i                 (rst_i),
    .requester_id_i        (id),
    .max_read_request_i    (max_read_request),
    .completion_timeout_i  (completion_timeout),
    .stop_i                (fetch_stop),
    .restart_i             (restart),
    .ring_base_i           (ring_base),
    .ring_log2_i           (ring_log2),
    .tail_i                (ring_tail),
    .idle_o                (fetch_idle),
    .descriptor_valid_o    (fetched_valid),
    .descriptor_ready_i    (fetched_ready),
    .descriptor_data_o     (fetched_data),
    .descriptor_index_o    (fetched_index),
    .descriptor_code_o     (fetched_code),
    .descriptor_continues_o(fetched_continues),
    .descriptor_continued_o(fetched_continued),
    .nonposted_valid_o     (fetch_valid),
    .nonposted_ready_i     (fetch_ready),
    .nonposted_hdr_o       (fetch_hdr),
    .completion_valid_i    (completion_to_valid[1]),
    .completion_ready_o    (completion_to_ready[1]),
    .completion_sop_i      (completion_sop),
    .completion_eop_i      (completion_eop),
    .completion_data_i     (completion_data),
    .completion_hdr_i      (completion_hdr),
    .completion_err_i      (completion_err),
    .stat_unexpected_o     (unexpected_fetch),
    .stat_timeout_o        (stat_timeout_fetch)
  );

  descriptor_ring u_ring (
    .clk_i              (clk_i),
    .rst_i              (rst_i || soft_reset),
    .enable_i           (ring_enable),
    .abort_i            (abort),
    .bus_master_enable_i(bus_master_enable),
    .setup_valid_i      (ring_setup_valid),
    .ring_log2_i        (ring_log2),
    .completion_head_i  (completion_head),
    .head_o             (ring_head),
    .running_o          (ring_running),
    .stop_reason_o      (ring_stop_reason),
    .fetch_code_o       (ring_fetch_code),
    .restart_o          (restart),
    .fetch_stop_o       (fetch_stop),
    .fetch_idle_i       (fetch_idle),
    .recorder_idle_i    (recorder_idle && engine_idle),
    .fetched_valid_i    (fetched_valid),
    .fetched_ready_o    (fetched_ready),
    .fetched_data_i     (fetched_data),
    .fetched_index_i    (fetched_index),
    .fetched_code_i     (fetched_code),
    .fetched_continues_i(fetched_continues),
    .fetched_continued_i(fetched_continued),
    .descriptor_valid_o (descriptor_valid),
    .descriptor_ready_i (descriptor_ready),
    .descriptor_data_o  (descriptor_data),
    .descriptor_id_o    (descriptor_id)
  );

  wire               status_valid, status_ready;
  wire [15:0]        status_id;
  wire [63:0]        status_cookie;
  wire [7:0]         status_code;
  wire [24:0]        status_bytes;
  wire               record_valid, record_ready;
  wire [DATA_W-1:0]  record_data;
  wire [EMPTY_W-1:0] record_empty;
  wire [127:0]       record_hdr;
  wire               out_posted_valid, out_posted_ready, out_posted_sop, out_posted_eop, out_posted_prefix_valid;
  wire [DATA_W-1:0]  out_posted_data;
  wire [EMPTY_W-1:0] out_posted_empty;
  wire [127:0]       out_posted_hdr;
  wire [31:0]        out_posted_prefix;

  completion_recorder #(
    .DATA_W(DATA_W)
  ) u_recorder (
    .clk_i              (clk_i),
    .rst_i              (rst_i),
    .data_valid_i       (out_posted_valid),
    .data_ready_i       (out_posted_ready),
    .requester_id_i     (id),
    .bus_master_enable_i(bus_master_enable),
    .discard_i          (discard),
    .restart_i          (restart || soft_reset),
    .idle_o             (recorder_idle),
    .quiet_o            (recorder_quiet),
    .base_i             (completion_base),
    .ring_log2_i        (ring_log2),
    .tail_o             (completion_tail),
    .phase_o            (ring_phase),
    .interrupt_count_i  (interrupt_count),
    .interrupt_cycles_i (interrupt_cycles),
    .status_valid_i     (status_valid),
    .status_ready_o     (status_ready),
    .status_id_i        (status_id),
    .status_cookie_i    (status_cookie),
    .status_code_i      (status_code),
    .status_bytes_i     (status_bytes),
    .interrupt_o        (interrupt),
    .message_valid_i    (message_valid),
    .message_ready_o    (message_ready),
    .message_address_i  (message_address),
    .message_data_i     (message_data),
    .posted_valid_o     (record_valid),
    .posted_ready_i     (record_ready),
    .posted_data_o      (record_data),
    .posted_empty_o     (record_empty),
    .posted_hdr_o       (record_hdr),
    .stat_record_o      (stat_record),
    .stat_message_o     (stat_message)
  );

  // DMA engine and local memory.
  wire                       dma_write_valid, dma_write_ready, dma_read_valid, dma_read_ready, dma_read_data_valid;
  wire [LOCAL_ADDRESS_W-1:0] dma_write_address, dma_read_address;
  wire [DATA_W-1:0]          dma_write_data;
  wire [DATA_W/8-1:0]        dma_write_strobe;
  wire                       out_nonposted_valid, out_nonposted_ready, out_nonposted_prefix_valid;
  wire [127:0]               out_nonposted_hdr;
  wire [31:0]                out_nonposted_prefix;

  dma_engine #(
    .DATA_W            (DATA_W),
    .TAGS              (TAGS),
    .TAG_BASE          (FETCH_TAGS),
    .OPERATIONS        (OPERATIONS),
    .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) u_engine (
    .clk_i                       (clk_i),
    .rst_i                       (rst_i),
    .requester_id_i              (id),
    .bus_master_enable_i         (bus_master_enable),
    .max_payload_i               (max_payload),
    .max_read_request_i          (max_read_request),
    .extended_tag_enable_i       (extended_tag_enable),
    .enable_relaxed_ordering_i   (relaxed_ordering_enable),
    .enable_no_snoop_i           (no_snoop_enable),
    .enable_id_ordering_i        (id_ordering_enable),
    .pasid_enable_i              (pasid_enable),
    .completion_timeout_i        (completion_timeout),
    .abort_i                     (abort),
    .idle_o                      (engine_idle),
    .quiet_o                     (engine_quiet),
    .descriptor_valid_i          (descriptor_valid),
    .descriptor_ready_o          (descriptor_ready),
    .descriptor_data_i           (descriptor_data),
    .descriptor_id_i             (descriptor_id),
    .status_valid_o              (status_valid),
    .status_ready_i              (status_ready),
    .status_id_o                 (status_id),
    .status_cookie_o             (status_cookie),
    .status_code_o               (status_code),
    .status_bytes_o              (status_bytes),
    .local_write_valid_o         (dma_write_valid),
    .local_write_ready_i         (dma_write_ready),
    .local_write_address_o       (dma_write_address),
    .local_write_data_o          (dma_write_data),
    .local_write_strobe_o        (dma_write_strobe),
    .local_read_valid_o          (dma_read_valid),
    .local_read_ready_i          (dma_read_ready),
    .local_read_address_o        (dma_read_address),
    .local_read_data_valid_i     (dma_read_data_valid),
    .local_read_data_i           (local_read_data),
    .posted_valid_o              (out_posted_valid),
    .posted_ready_i              (out_posted_ready),
    .posted_sop_o                (out_posted_sop),
    .posted_eop_o                (out_posted_eop),
    .posted_data_o               (out_posted_data),
    .posted_empty_o              (out_posted_empty),
    .posted_hdr_o                (out_posted_hdr),
    .posted_prefix_o             (out_posted_prefix),
    .posted_prefix_valid_o       (out_posted_prefix_valid),
    .nonposted_valid_o           (out_nonposted_valid),
    .nonposted_ready_i           (out_nonposted_ready),
    .nonposted_hdr_o             (out_nonposted_hdr),
    .nonposted_prefix_o          (out_nonposted_prefix),
    .nonposted_prefix_valid_o    (out_nonposted_prefix_valid),
    .completion_valid_i          (completion_to_valid[0]),
    .completion_ready_o          (completion_to_ready[0]),
    .completion_sop_i            (completion_sop),
    .completion_eop_i            (completion_eop),
    .completion_data_i           (completion_data),
    .completion_hdr_i            (completion_hdr),
    .completion_err_i            (completion_err),
    .stat_read_request_o         (stat_read_request),
    .stat_write_beat_o           (stat_write_beat),
    .stat_completion_beat_o      (stat_completion_beat),
    .stat_unexpected_completion_o(unexpected_engine),
    .stat_timeout_o              (stat_timeout_engine),
    .stat_tag_wait_o             (stat_tag_wait)
  );

  endpoint_local_memory #(
    .DATA_W(DATA_W),
    .BYTES (LOCAL_MEMORY_BYTES)
  ) u_memory (
    .clk_i            (clk_i),
    .rst_i            (rst_i),
    .write_valid_i    ({bar_write_valid, dma_write_valid}),
    .write_ready_o    ({bar_write_ready, dma_write_ready}),
    .write_address_i  ({bar_write_address, dma_write_address}),
    .write_data_i     ({bar_write_data, dma_write_data}),
    .write_strobe_i   ({bar_write_strobe, dma_write_strobe}),
    .read_valid_i     ({bar_read_valid, dma_read_valid}),
    .read_ready_o     ({bar_read_ready, dma_read_ready}),
    .read_address_i   ({bar_read_address, dma_read_address}),
    .read_data_valid_o({bar_read_data_valid, dma_read_data_valid}),
    .read_data_o      (local_read_data)
  );

  // Source 0: the engine, and single-beat answers. Source 1: the ring, and reads of local memory.
  tlp_transmit_arbiter #(
    .DATA_W (DATA_W),
    .SOURCES(2)
  ) u_transmit (
    .clk_i               (clk_i),
    .rst_i               (rst_i),
    .link_up_i           (link_up_i),
    .in_valid_i          ({read_valid, fetch_valid, record_valid, answer_valid, out_nonposted_valid, out_posted_valid}),
    .in_ready_o          ({read_ready, fetch_ready, record_ready, answer_ready, out_nonposted_ready, out_posted_ready}),
    .in_sop_i            ({read_sop, 1'b1, 1'b1, 1'b1, 1'b1, out_posted_sop}),
    .in_eop_i            ({read_eop, 1'b1, 1'b1, 1'b1, 1'b1, out_posted_eop}),
    .in_data_i           ({read_data, {DATA_W{1'b0}}, record_data, answer_data, {DATA_W{1'b0}}, out_posted_data}),
    .in_empty_i          ({read_empty, {EMPTY_W{1'b0}}, record_empty, answer_empty, {EMPTY_W{1'b0}}, out_posted_empty}),
    .in_hdr_i            ({read_hdr, fetch_hdr, record_hdr, answer_hdr, out_nonposted_hdr, out_posted_hdr}),
    .in_prefix_i         ({32'd0, 32'd0, 32'd0, 32'd0, out_nonposted_prefix, out_posted_prefix}),
    .in_prefix_valid_i   ({4'd0, out_nonposted_prefix_valid, out_posted_prefix_valid}),
    .in_err_i            (6'd0),
    .tx_valid_o          (tx_valid_o),
    .tx_ready_i          (tx_ready_i),
    .tx_sop_o            (tx_sop_o),
    .tx_eop_o            (tx_eop_o),
    .tx_data_o           (tx_data_o),
    .tx_empty_o          (tx_empty_o),
    .tx_hdr_o            (tx_hdr_o),
    .tx_prefix_o         (tx_prefix_o),
    .tx_prefix_valid_o   (tx_prefix_valid_o),
    .tx_err_o            (tx_err_o),
    .tx_credit_limit_i   (tx_credit_limit_i),
    .tx_credit_infinite_i(tx_credit_infinite_i)
  );

endmodule
`default_nettype wire
