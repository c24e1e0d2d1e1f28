`default_nettype none
// Answers non-posted TLPs: type-0 configuration requests, reads of BAR0 (one DW: a register; more: CA) and of BAR2 (local memory, split at
// Max_Payload_Size boundaries, which are Read Completion Boundaries of 128 bytes). Everything else gets UR.
// The completion of a configuration write that leaves Bus Master Enable 0 waits until the function's requests have left (quiet_i).
// Two completion streams: single-beat answers, and reads of local memory. Header wires hold for all beats of a TLP.
module endpoint_nonposted_completer #(
  // Bits of payload per beat
  parameter int DATA_W = 256,
  // Size of BAR2 in bytes, a power of two
  parameter int LOCAL_MEMORY_BYTES = 2097152,
  // Cycles from an accepted local memory read to its data
  parameter int READ_LATENCY = 2,
  // Derived: width of a local memory byte address, bits of `empty`
  parameter int LOCAL_ADDRESS_W = $clog2(LOCAL_MEMORY_BYTES),
  parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // Function: ID, Command, BARs, Max_Payload_Size code
  input  wire  [15:0]                id_i,
  input  wire                        memory_enable_i,
  input  wire                        bus_master_enable_i,
  input  wire  [31:0]                bar0_i,
  input  wire  [63:0]                bar2_i,
  input  wire  [2:0]                 max_payload_i,
  // 1: no request of this function is on its way to the link
  input  wire                        quiet_i,

  // Non-posted stream in
  input  wire                        nonposted_valid_i,
  output logic                       nonposted_ready_o,
  input  wire                        nonposted_sop_i,
  input  wire                        nonposted_eop_i,
  input  wire  [31:0]                nonposted_data_i,
  input  wire  [127:0]               nonposted_hdr_i,
  input  wire                        nonposted_err_i,

  // Configuration space
  output logic                       cfg_valid_o,
  output logic                       cfg_write_o,
  output logic [9:0]                 cfg_register_o,
  output logic [3:0]                 cfg_enables_o,
  output logic [31:0]                cfg_wdata_o,
  output logic [15:0]                cfg_target_o,
  input  wire  [31:0]                cfg_rdata_i,

  // Register read
  output logic [13:0]                register_address_o,
  input  wire  [31:0]                register_data_i,

  // Local memory read
  output logic                       local_valid_o,
  input  wire                        local_ready_i,
  output logic [LOCAL_ADDRESS_W-1:0] local_address_o,
  input  wire                        local_data_valid_i,
  input  wire  [DATA_W-1:0]          local_data_i,

  // Completions that are one beat
  output logic                       answer_valid_o,
  input  wire                        answer_ready_i,
  output logic [DATA_W-1:0]          answer_data_o,
  output logic [EMPTY_W-1:0]         answer_empty_o,
  output logic [127:0]               answer_hdr_o,

  // Completions with local memory
  output logic                       data_valid_o,
  input  wire                        data_ready_i,
  output logic                       data_sop_o,
  output logic                       data_eop_o,
  output logic [DATA_W-1:0]          data_data_o,
  output logic [EMPTY_W-1:0]         data_empty_o,
  output logic [127:0]               data_hdr_o,

  // An unsupported request was answered
  output logic                       unsupported_o
);

  // Request fields.
  logic [7:0]  fmt_type;
  logic [63:0] address;
  logic [10:0] length;
  logic [3:0]  first_enables;
  logic [3:1]  last_enables;
  logic [1:0]  lead;
  logic [1:0]  trail;
  logic [12:0] span;
  logic        is_read;
  logic        is_config;
  logic        hits_bar0;
  logic        hits_bar2;

  // What to do.
  logic        at_end;
  logic        good_config;
  logic        good_register;
  logic        good_local;
  logic        zero_length;
  logic        config_done_q;
  logic        config_hold;
  logic        operation_valid;
  logic        operation_ready;
  logic        answer_request;
  logic        answer_ready;
  logic [2:0]  status;
  logic        with_data;

  always_comb begin
    fmt_type = nonposted_hdr_i[127:120];
    address = tlp_pkg::request_address(nonposted_hdr_i);
    length = {nonposted_hdr_i[105:96] == 10'd0, nonposted_hdr_i[105:96]};
    last_enables = nonposted_hdr_i[71:69];
    first_enables = nonposted_hdr_i[67:64];
    lead = first_enables[0] ? 2'd0 : first_enables[1] ? 2'd1 : first_enables[2] ? 2'd2 : 2'd3;
    if (length == 11'd1) trail = first_enables[3] ? 2'd0 : first_enables[2] ? 2'd1 : first_enables[1] ? 2'd2 : 2'd3;
    else trail = last_enables[3] ? 2'd0 : last_enables[2] ? 2'd1 : last_enables[1] ? 2'd2 : 2'd3;
    span = {length, 2'b00} - {11'd0, lead} - {11'd0, trail};
    zero_length = length == 11'd1 && first_enables == 4'd0;

    is_read = fmt_type == tlp_pkg::MRD32 || fmt_type == tlp_pkg::MRD64;
    is_config = fmt_type == tlp_pkg::CFGRD0 || fmt_type == tlp_pkg::CFGWR0;
    hits_bar0 = is_read && memory_enable_i && address[63:14] == {32'd0, bar0_i[31:14]};
    hits_bar2 = is_read && memory_enable_i && address[63:LOCAL_ADDRESS_W] == bar2_i[63:LOCAL_ADDRESS_W];

    // A poisoned configuration write is refused; only function 0 exists.
    good_config = is_config && nonposted_hdr_i[50:48] == 3'd0 && !nonposted_hdr_i[110];
    good_register = hits_bar0 && length == 11'd1;
    good_local = hits_bar2 && !zero_length;
    at_end = nonposted_valid_i && nonposted_eop_i && !nonposted_err_i;

    cfg_valid_o = at_end && good_config && !config_done_q;
    cfg_write_o = fmt_type == tlp_pkg::CFGWR0;
    cfg_register_o = nonposted_hdr_i[43:34];
    cfg_enables_o = first_enables;
    cfg_wdata_o = nonposted_data_i;
    cfg_target_o = nonposted_hdr_i[63:48];
    register_address_o = address[13:0];
    config_hold = good_config && cfg_write_o && (!config_done_q || (!bus_master_enable_i && !quiet_i));

    operation_valid = at_end && good_local;
    answer_request = at_end && !good_local && !config_hold;
    if (good_config || good_register || (hits_bar2 && zero_length)) status = tlp_pkg::STATUS_SC;
    else if (hits_bar0) status = tlp_pkg::STATUS_CA;
    else status = tlp_pkg::STATUS_UR;
    with_data = status == tlp_pkg::STATUS_SC && !cfg_write_o;

    if (!at_end) nonposted_ready_o = 1'b1;
    else if (good_local) nonposted_ready_o = operation_ready;
    else nonposted_ready_o = answer_ready && !config_hold;
    unsupported_o = answer_request && answer_ready && status == tlp_pkg::STATUS_UR;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) config_done_q <= 1'b0;
    else if (nonposted_valid_i && nonposted_ready_o) config_done_q <= 1'b0;
    else if (cfg_valid_o) config_done_q <= 1'b1;
  end

  // Single-beat answers.
  logic        unused_sop;
  logic        unused_eop;
  logic [31:0] unused_prefix;
  logic        unused_prefix_valid;
  logic        unused_err;

  tlp_completion_generator #(
    .DATA_W(DATA_W)
  ) u_answer (
    .clk_i                    (clk_i),
    .rst_i                    (rst_i),
    .request_valid_i          (answer_request),
    .request_ready_o          (answer_ready),
    .request_hdr_i            (nonposted_hdr_i),
    .request_status_i         (status),
    .request_with_data_i      (with_data),
    .request_data_i           (is_config ? cfg_rdata_i : good_register ? register_data_i : 32'd0),
    .request_completer_i      (id_i),
    .completion_valid_o       (answer_valid_o),
    .completion_ready_i       (answer_ready_i),
    .completion_sop_o         (unused_sop),
    .completion_eop_o         (unused_eop),
    .completion_data_o        (answer_data_o),
    .completion_empty_o       (answer_empty_o),
    .completion_hdr_o         (answer_hdr_o),
    .completion_prefix_o      (unused_prefix),
    .completion_prefix_valid_o(unused_prefix_valid),
    .completion_err_o         (unused_err)
  );

  // Reads of local memory: chunks of Max_Payload_Size, then payload.
  localparam int META_W = 2 + 3 + 2 + 16 + 8 + 13;

  logic                       chunk_valid;
  logic                       chunk_ready;
  logic [63:0]                chunk_address;
  logic [LOCAL_ADDRESS_W-1:0] chunk_local;
  logic [12:0]                chunk_length;
  logic [24:0]                chunk_offset;
  logic                       unused_chunk_last;
  logic                       unused_chunk_cancelled;
  logic [1:0]                 chunk_tag_high;
  logic [2:0]                 chunk_class;
  logic [1:0]                 chunk_attributes;
  logic [15:0]                chunk_requester;
  logic [7:0]                 chunk_tag;
  logic [12:0]                chunk_total;
  logic [12:0]                chunk_left;
  logic [127:0]               chunk_hdr;
  logic                       unused_idle;
  logic                       unused_mark;
  logic                       unused_meta;
  logic [31:0]                unused_data_prefix;
  logic                       unused_data_prefix_valid;

  dma_chunk_splitter #(
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W),
    .META_W         (META_W)
  ) u_splitter (
    .clk_i              (clk_i),
    .rst_i              (rst_i),
    .boundary_code_i    (max_payload_i),
    .cancel_i           (1'b0),
    .operation_valid_i  (operation_valid),
    .operation_ready_o  (operation_ready),
    .operation_address_i({address[63:2], lead}),
    .operation_local_i  ({address[LOCAL_ADDRESS_W-1:2], lead}),
    .operation_length_i ({12'd0, span}),
    .operation_meta_i   ({nonposted_hdr_i[119], nonposted_hdr_i[115], nonposted_hdr_i[118:116], nonposted_hdr_i[109:108],
                          nonposted_hdr_i[95:72], span}),
    .chunk_valid_o      (chunk_valid),
    .chunk_ready_i      (chunk_ready),
    .chunk_address_o    (chunk_address),
    .chunk_local_o      (chunk_local),
    .chunk_length_o     (chunk_length),
    .chunk_offset_o     (chunk_offset),
    .chunk_last_o       (unused_chunk_last),
    .chunk_cancelled_o  (unused_chunk_cancelled),
    .chunk_meta_o       ({chunk_tag_high, chunk_class, chunk_attributes, chunk_requester, chunk_tag, chunk_total})
  );

  logic [10:0] chunk_dwords;

  always_comb begin
    chunk_dwords = dma_pkg::span_dwords(chunk_address[1:0], chunk_length);
    chunk_left = chunk_total - chunk_offset[12:0];
    chunk_hdr = {tlp_pkg::CPLD, chunk_tag_high[1], chunk_class, chunk_tag_high[0], 5'd0, chunk_attributes, 2'b00,
                 chunk_dwords[9:0], id_i, tlp_pkg::STATUS_SC, 1'b0, chunk_left[11:0], chunk_requester, chunk_tag, 1'b0,
                 chunk_address[6:0], 32'd0};
  end

  dma_payload_reader #(
    .DATA_W         (DATA_W),
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W),
    .READ_LATENCY   (READ_LATENCY),
    .META_W         (1)
  ) u_payload (
    .clk_i                (clk_i),
    .rst_i                (rst_i),
    .header_valid_i       (chunk_valid),
    .header_ready_o       (chunk_ready),
    .header_i             (chunk_hdr),
    .header_prefix_i      (32'd0),
    .header_prefix_valid_i(1'b0),
    .header_local_i       (chunk_local),
    .header_lead_i        (chunk_address[1:0]),
    .header_length_i      (chunk_length),
    .header_meta_i        (1'b0),
    .read_valid_o         (local_valid_o),
    .read_ready_i         (local_ready_i),
    .read_address_o       (local_address_o),
    .read_data_valid_i    (local_data_valid_i),
    .read_data_i          (local_data_i),
    .idle_o               (unused_idle),
    .out_valid_o          (data_valid_o),
    .out_ready_i          (data_ready_i),
    .out_mark_o           (unused_mark),
    .out_sop_o            (data_sop_o),
    .out_eop_o            (data_eop_o),
    .out_data_o           (data_data_o),
    .out_empty_o          (data_empty_o),
    .out_hdr_o            (data_hdr_o),
    .out_prefix_o         (unused_data_prefix),
    .out_prefix_valid_o   (unused_data_prefix_valid),
    .out_meta_o           (unused_meta)
  );

  logic unused_bits;
  always_comb unused_bits = ^{nonposted_sop_i, nonposted_hdr_i[114:111], nonposted_hdr_i[107:106], nonposted_hdr_i[68],
                              nonposted_hdr_i[47:44], nonposted_hdr_i[33:32], nonposted_hdr_i[1:0], bar0_i[13:0],
                              bar2_i[LOCAL_ADDRESS_W-1:0], chunk_address[63:7], chunk_offset[24:13], chunk_dwords[10], chunk_left[12]};

endmodule
`default_nettype wire
