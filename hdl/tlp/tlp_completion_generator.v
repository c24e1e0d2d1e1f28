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

  logic [127:0] hdr;

  logic         valid_d, valid_q, load, with_data_q;
  logic [127:0] hdr_q;
  logic [31:0]  data_q;

  // Address bits above the completion's, AT, PH and reserved bits of the request do not reach a completion.
  wire unused_request = &{1'b0, request_hdr_i};
  wire is_locked = request_hdr_i[124:120] == 5'b00001;

  assign hdr[127:96] = {
    1'b0, request_with_data_i, 1'b0, 4'b0101, is_locked,  // Fmt and Type
    request_hdr_i[119:115],  // T9, TC, T8
    5'd0,  // IDO, LN, TH, TD, EP
    request_hdr_i[109:108],  // RO, NS
    2'b00, 9'd0, request_with_data_i  // AT, Length
  };
  assign hdr[95:64] = {request_completer_i, request_status_i, 1'b0, tlp_pkg::completion_byte_count(request_hdr_i)};
  assign hdr[63:32] = {request_hdr_i[95:72], 1'b0, tlp_pkg::completion_lower_address(request_hdr_i)};
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
      assert (tlp_pkg::tlp_class(request_hdr_i[127:120]) == tlp_pkg::CLASS_NONPOSTED)
      else $error("tlp_completion_generator: only non-posted requests are completed");
      assert (!request_with_data_i || request_status_i == tlp_pkg::STATUS_SC)
      else $error("tlp_completion_generator: data with a status other than SC");
    end
  end
`endif

endmodule
`default_nettype wire
