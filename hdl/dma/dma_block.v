`default_nettype none
// The DMA engine with a local memory on one link pair, without configuration space: the device under test of the block test `dma`,
// and the smallest complete use of the engine. Posted TLPs that arrive are dropped, non-posted ones answered with UR.
module dma_block #(
  // Bits of payload per beat: 128, 256 or 512
  parameter int DATA_W = 256,
  // Read requests in flight, 2..256
  parameter int TAGS = 64,
  // Operations in flight, a power of two
  parameter int OPERATIONS = 128,
  // Size of local memory in bytes, a power of two
  parameter int LOCAL_MEMORY_BYTES = 2097152,
  // Derived: bits of `empty`
  parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
  input  wire               clk_i,
  input  wire               rst_i,
  input  wire               link_up_i,

  // Function settings, as in dma_engine
  input  wire  [15:0]       requester_id_i,
  input  wire               bus_master_enable_i,
  input  wire  [2:0]        max_payload_i,
  input  wire  [2:0]        max_read_request_i,
  input  wire               extended_tag_enable_i,
  input  wire               enable_relaxed_ordering_i,
  input  wire               enable_no_snoop_i,
  input  wire               enable_id_ordering_i,
  input  wire  [2:0]        pasid_enable_i,
  input  wire  [31:0]       completion_timeout_i,
  input  wire               abort_i,
  output wire               idle_o,
  output wire               quiet_o,

  // Descriptors and statuses (docs/interfaces.md section 7)
  input  wire               descriptor_valid_i,
  output wire               descriptor_ready_o,
  input  wire  [511:0]      descriptor_data_i,
  input  wire  [15:0]       descriptor_id_i,
  output wire               status_valid_o,
  input  wire               status_ready_i,
  output wire  [15:0]       status_id_o,
  output wire  [63:0]       status_cookie_o,
  output wire  [7:0]        status_code_o,
  output wire  [24:0]       status_bytes_o,

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
  input  wire  [5:0]        tx_credit_infinite_i,

  // Statistics strobes, as in dma_engine
  output wire               stat_read_request_o,
  output wire               stat_write_beat_o,
  output wire               stat_completion_beat_o,
  output wire               stat_unexpected_completion_o,
  output wire               stat_timeout_o,
  output wire               stat_tag_wait_o
);

  localparam int LOCAL_ADDRESS_W = $clog2(LOCAL_MEMORY_BYTES);

  // Received streams.
  wire               completion_valid, completion_ready, completion_sop, completion_eop, completion_err;
  wire [DATA_W-1:0]  completion_data;
  wire [127:0]       completion_hdr;
  wire               request_valid, request_ready, unused_request_sop, request_eop, request_err;
  wire [127:0]       request_hdr;
  wire               unused_posted_valid, unused_posted_sop, unused_posted_eop, unused_posted_prefix_valid, unused_posted_err;
  wire [DATA_W-1:0]  unused_posted_data, unused_request_data;
  wire [EMPTY_W-1:0] unused_posted_empty, unused_request_empty, unused_completion_empty;
  wire [127:0]       unused_posted_hdr;
  wire [31:0]        unused_posted_prefix, unused_request_prefix, unused_completion_prefix;
  wire               unused_request_prefix_valid, unused_completion_prefix_valid;

  tlp_receive_buffer #(
    .DATA_W         (DATA_W),
    .COMPLETION_DATA(512),
    .COMPLETION_HEADERS(64)
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
    .posted_valid_o           (unused_posted_valid),
    .posted_ready_i           (1'b1),
    .posted_sop_o             (unused_posted_sop),
    .posted_eop_o             (unused_posted_eop),
    .posted_data_o            (unused_posted_data),
    .posted_empty_o           (unused_posted_empty),
    .posted_hdr_o             (unused_posted_hdr),
    .posted_prefix_o          (unused_posted_prefix),
    .posted_prefix_valid_o    (unused_posted_prefix_valid),
    .posted_err_o             (unused_posted_err),
    .nonposted_valid_o        (request_valid),
    .nonposted_ready_i        (request_ready),
    .nonposted_sop_o          (unused_request_sop),
    .nonposted_eop_o          (request_eop),
    .nonposted_data_o         (unused_request_data),
    .nonposted_empty_o        (unused_request_empty),
    .nonposted_hdr_o          (request_hdr),
    .nonposted_prefix_o       (unused_request_prefix),
    .nonposted_prefix_valid_o (unused_request_prefix_valid),
    .nonposted_err_o          (request_err),
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

  // Requests to this function: none is served.
  wire               answer_valid, answer_ready, answer_sop, answer_eop, answer_prefix_valid, answer_err;
  wire [DATA_W-1:0]  answer_data;
  wire [EMPTY_W-1:0] answer_empty;
  wire [127:0]       answer_hdr;
  wire [31:0]        answer_prefix;
  wire               generator_ready;
  wire               generator_valid;

  assign generator_valid = request_valid && request_eop && !request_err;
  assign request_ready = generator_ready || !generator_valid;

  tlp_completion_generator #(
    .DATA_W(DATA_W)
  ) u_answer (
    .clk_i                    (clk_i),
    .rst_i                    (rst_i),
    .request_valid_i          (generator_valid),
    .request_ready_o          (generator_ready),
    .request_hdr_i            (request_hdr),
    .request_status_i         (tlp_pkg::STATUS_UR),
    .request_with_data_i      (1'b0),
    .request_data_i           (32'd0),
    .request_completer_i      (requester_id_i),
    .completion_valid_o       (answer_valid),
    .completion_ready_i       (answer_ready),
    .completion_sop_o         (answer_sop),
    .completion_eop_o         (answer_eop),
    .completion_data_o        (answer_data),
    .completion_empty_o       (answer_empty),
    .completion_hdr_o         (answer_hdr),
    .completion_prefix_o      (answer_prefix),
    .completion_prefix_valid_o(answer_prefix_valid),
    .completion_err_o         (answer_err)
  );

  // Engine and its memory.
  wire                       local_write_valid;
  wire [LOCAL_ADDRESS_W-1:0] local_write_address;
  wire [DATA_W-1:0]          local_write_data;
  wire [DATA_W/8-1:0]        local_write_strobe;
  wire                       local_read_valid;
  wire [LOCAL_ADDRESS_W-1:0] local_read_address;
  wire                       local_read_data_valid;
  wire [DATA_W-1:0]          local_read_data;
  wire                       posted_valid, posted_ready, posted_sop, posted_eop, posted_prefix_valid;
  wire [DATA_W-1:0]          posted_data;
  wire [EMPTY_W-1:0]         posted_empty;
  wire [127:0]               posted_hdr;
  wire [31:0]                posted_prefix;
  wire                       nonposted_valid, nonposted_ready, nonposted_prefix_valid;
  wire [127:0]               nonposted_hdr;
  wire [31:0]                nonposted_prefix;

  dma_engine #(
    .DATA_W            (DATA_W),
    .TAGS              (TAGS),
    .OPERATIONS        (OPERATIONS),
    .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) u_engine (
    .clk_i                       (clk_i),
    .rst_i                       (rst_i),
    .requester_id_i              (requester_id_i),
    .bus_master_enable_i         (bus_master_enable_i),
    .max_payload_i               (max_payload_i),
    .max_read_request_i          (max_read_request_i),
    .extended_tag_enable_i       (extended_tag_enable_i),
    .enable_relaxed_ordering_i   (enable_relaxed_ordering_i),
    .enable_no_snoop_i           (enable_no_snoop_i),
    .enable_id_ordering_i        (enable_id_ordering_i),
    .pasid_enable_i              (pasid_enable_i),
    .completion_timeout_i        (completion_timeout_i),
    .abort_i                     (abort_i),
    .idle_o                      (idle_o),
    .quiet_o                     (quiet_o),
    .descriptor_valid_i          (descriptor_valid_i),
    .descriptor_ready_o          (descriptor_ready_o),
    .descriptor_data_i           (descriptor_data_i),
    .descriptor_id_i             (descriptor_id_i),
    .status_valid_o              (status_valid_o),
    .status_ready_i              (status_ready_i),
    .status_id_o                 (status_id_o),
    .status_cookie_o             (status_cookie_o),
    .status_code_o               (status_code_o),
    .status_bytes_o              (status_bytes_o),
    .local_write_valid_o         (local_write_valid),
    .local_write_ready_i         (1'b1),
    .local_write_address_o       (local_write_address),
    .local_write_data_o          (local_write_data),
    .local_write_strobe_o        (local_write_strobe),
    .local_read_valid_o          (local_read_valid),
    .local_read_ready_i          (1'b1),
    .local_read_address_o        (local_read_address),
    .local_read_data_valid_i     (local_read_data_valid),
    .local_read_data_i           (local_read_data),
    .posted_valid_o              (posted_valid),
    .posted_ready_i              (posted_ready),
    .posted_sop_o                (posted_sop),
    .posted_eop_o                (posted_eop),
    .posted_data_o               (posted_data),
    .posted_empty_o              (posted_empty),
    .posted_hdr_o                (posted_hdr),
    .posted_prefix_o             (posted_prefix),
    .posted_prefix_valid_o       (posted_prefix_valid),
    .nonposted_valid_o           (nonposted_valid),
    .nonposted_ready_i           (nonposted_ready),
    .nonposted_hdr_o             (nonposted_hdr),
    .nonposted_prefix_o          (nonposted_prefix),
    .nonposted_prefix_valid_o    (nonposted_prefix_valid),
    .completion_valid_i          (completion_valid),
    .completion_ready_o          (completion_ready),
    .completion_sop_i            (completion_sop),
    .completion_eop_i            (completion_eop),
    .completion_data_i           (completion_data),
    .completion_hdr_i            (completion_hdr),
    .completion_err_i            (completion_err),
    .stat_read_request_o         (stat_read_request_o),
    .stat_write_beat_o           (stat_write_beat_o),
    .stat_completion_beat_o      (stat_completion_beat_o),
    .stat_unexpected_completion_o(stat_unexpected_completion_o),
    .stat_timeout_o              (stat_timeout_o),
    .stat_tag_wait_o             (stat_tag_wait_o)
  );

  dma_local_memory #(
    .DATA_W(DATA_W),
    .BYTES (LOCAL_MEMORY_BYTES)
  ) u_memory (
    .clk_i            (clk_i),
    .rst_i            (rst_i),
    .write_valid_i    (local_write_valid),
    .write_address_i  (local_write_address),
    .write_data_i     (local_write_data),
    .write_strobe_i   (local_write_strobe),
    .read_valid_i     (local_read_valid),
    .read_address_i   (local_read_address),
    .read_data_valid_o(local_read_data_valid),
    .read_data_o      (local_read_data)
  );

  tlp_transmit_arbiter #(
    .DATA_W (DATA_W),
    .SOURCES(1)
  ) u_transmit (
    .clk_i               (clk_i),
    .rst_i               (rst_i),
    .link_up_i           (link_up_i),
    .in_valid_i          ({answer_valid, nonposted_valid, posted_valid}),
    .in_ready_o          ({answer_ready, nonposted_ready, posted_ready}),
    .in_sop_i            ({answer_sop, 1'b1, posted_sop}),
    .in_eop_i            ({answer_eop, 1'b1, posted_eop}),
    .in_data_i           ({answer_data, {DATA_W{1'b0}}, posted_data}),
    .in_empty_i          ({answer_empty, {EMPTY_W{1'b0}}, posted_empty}),
    .in_hdr_i            ({answer_hdr, nonposted_hdr, posted_hdr}),
    .in_prefix_i         ({answer_prefix, nonposted_prefix, posted_prefix}),
    .in_prefix_valid_i   ({answer_prefix_valid, nonposted_prefix_valid, posted_prefix_valid}),
    .in_err_i            ({answer_err, 1'b0, 1'b0}),
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
