`default_nettype none
// Makes the completion of a non-posted request that is answered without a memory: a completion without data (any status; UR, CA,
// or SC for configuration and I/O writes) or a successful one with one DW. PCIe completion rules: TC, RO, NS, tag copied, IDO not
// set, CplLk for locked reads, Byte Count and Lower Address of the whole request (its first completion). One request per cycle,
// registered output, latency 1 cycle, each completion one beat.
module tlp_completion_generator #(
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire               clk_i,
    input  wire               rst_i,

    // Request to answer: its header, the status, 1 = with `request_data_i` (only with status SC), and the ID of the completer.
    input  wire               request_valid_i,
    output wire               request_ready_o,
    input  wire [127:0]       request_hdr_i,
    input  wire [2:0]         request_status_i,
    input  wire               request_with_data_i,
    input  wire [31:0]        request_data_i,
    input  wire [15:0]        request_completer_i,

    // Completion stream.
    output wire               completion_valid_o,
    input  wire               completion_ready_i,
    output wire               completion_sop_o,
    output wire               completion_eop_o,
    output wire [DATA_W-1:0]  completion_data_o,
    output wire [EMPTY_W-1:0] completion_empty_o,
    output wire [127:0]       completion_hdr_o,
    output wire [31:0]        completion_prefix_o,
    output wire               completion_prefix_valid_o,
    output wire               completion_err_o
);

  // Request fields.
  logic [7:0]  fmt_type;
  logic [9:0]  length;
  logic [3:0]  first_enables;
  logic [3:1]  end_enables;
  logic [4:0]  address;
  logic        is_read, is_atomic, is_compare_swap, is_locked;

  logic [1:0]   lead, trail;
  logic [11:0]  byte_count;  // modulo 4096: 0 means 4096
  logic [6:0]   lower_address;
  logic [127:0] hdr;

  logic         valid_d, valid_q, load, with_data_q;
  logic [127:0] hdr_q;
  logic [31:0]  data_q;

  // Address bits above the completion's, AT, PH and reserved bits of the request do not reach a completion.
  wire unused_request = &{1'b0, request_hdr_i};

  assign fmt_type = request_hdr_i[127:120];
  assign length = request_hdr_i[105:96];
  assign first_enables = request_hdr_i[67:64];
  assign end_enables = length == 10'd1 ? request_hdr_i[67:65] : request_hdr_i[71:69];
  assign address = fmt_type[5] ? request_hdr_i[6:2] : request_hdr_i[38:34];
  assign is_locked = fmt_type[4:0] == 5'b00001;
  assign is_read = !fmt_type[6] && (fmt_type[4:0] == 5'b00000 || is_locked);
  assign is_atomic = fmt_type[4:2] == 3'b011;
  assign is_compare_swap = is_atomic && fmt_type[1];

  // Disabled bytes before the first enabled one and behind the last; no byte enabled counts as one byte.
  always_comb begin
    if (first_enables[0] || first_enables == 4'd0) lead = 2'd0;
    else if (first_enables[1]) lead = 2'd1;
    else if (first_enables[2]) lead = 2'd2;
    else lead = 2'd3;
    if (end_enables[3]) trail = 2'd0;
    else if (end_enables[2]) trail = 2'd1;
    else if (end_enables[1]) trail = 2'd2;
    else trail = 2'd3;
  end

  always_comb begin
    byte_count = 12'd4;
    lower_address = 7'd0;
    if (is_read) begin
      byte_count = {length, 2'b00} - 12'(lead) - 12'(trail);
      lower_address = {address, lead};
    end else if (is_compare_swap) begin
      byte_count = {1'b0, length, 1'b0};
    end else if (is_atomic) begin
      byte_count = {length, 2'b00};
    end
  end

  assign hdr[127:96] = {
    1'b0, request_with_data_i, 1'b0, 4'b0101, is_locked,  // Fmt and Type
    request_hdr_i[119:115],  // T9, TC, T8
    5'd0,  // IDO, LN, TH, TD, EP
    request_hdr_i[109:108],  // RO, NS
    2'b00, 9'd0, request_with_data_i  // AT, Length
  };
  assign hdr[95:64] = {request_completer_i, request_status_i, 1'b0, byte_count};
  assign hdr[63:32] = {request_hdr_i[95:72], 1'b0, lower_address};
  assign hdr[31:0] = 32'd0;

  assign load = !valid_q || completion_ready_i;
  assign valid_d = load ? request_valid_i : valid_q;
  assign request_ready_o = load;

  assign completion_valid_o = valid_q;
  assign completion_sop_o = 1'b1;
  assign completion_eop_o = 1'b1;
  assign completion_data_o = DATA_W'(data_q);
  assign completion_empty_o = with_data_q ? EMPTY_W'(DATA_W / 32 - 1) : '0;
  assign completion_hdr_o = hdr_q;
  assign completion_prefix_o = 32'd0;
  assign completion_prefix_valid_o = 1'b0;
  assign completion_err_o = 1'b0;

  always_ff @(posedge clk_i) begin
    if (load) begin
      hdr_q <= hdr;
      data_q <= request_data_i;
      with_data_q <= request_with_data_i;
    end
    valid_q <= valid_d;
    if (rst_i) valid_q <= 1'b0;
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i && request_valid_i) begin
      assert (tlp_pkg::tlp_class(fmt_type) == tlp_pkg::CLASS_NONPOSTED)
      else $error("tlp_completion_generator: only non-posted requests are completed");
      assert (!request_with_data_i || request_status_i == tlp_pkg::STATUS_SC)
      else $error("tlp_completion_generator: data with a status other than SC");
    end
  end
`endif

endmodule
`default_nettype wire
