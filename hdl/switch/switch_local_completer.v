`default_nettype none
// Answers the non-posted requests of one ingress port that are not forwarded: configuration accesses to the functions of the
// switch, and requests that end with UR or CA. Takes all beats of a request, acts at eop, ignores nullified requests.
module switch_local_completer #(
    // Upstream port and downstream ports.
    parameter int PORTS = 3,
    // Payload width of a beat: 128, 256 or 512.
    parameter int DATA_W = 512,
    // Derived: bits of `empty`.
    parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
    input  wire               clk_i,
    input  wire               rst_i,

    // Beats of a request; the header stays for all of them, the decision is valid at sop.
    input  wire               request_valid_i,
    output wire               request_ready_o,
    input  wire               request_sop_i,
    input  wire               request_eop_i,
    input  wire [31:0]        request_data_i,
    input  wire [127:0]       request_hdr_i,
    input  wire               request_err_i,
    input  wire [PORTS-1:0]   config_i,
    input  wire               violation_i,
    // ID of the function that answers what is not a configuration access.
    input  wire [15:0]        id_i,

    // Configuration access, in the cycle in which the request is answered.
    output wire [PORTS-1:0]   cfg_function_o,
    output wire               cfg_valid_o,
    output wire               cfg_write_o,
    output wire [9:0]         cfg_register_o,
    output wire [3:0]         cfg_enables_o,
    output wire [31:0]        cfg_wdata_o,
    output wire [15:0]        cfg_target_o,
    input  wire [31:0]        cfg_rdata_i,

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

  // Decision of a request of several beats; configuration requests have one.
  logic       violation, violation_q;
  logic       answer, generator_ready, is_config;
  logic [2:0] status;

  assign violation = request_sop_i ? violation_i : violation_q;
  assign is_config = request_sop_i && config_i != '0;
  assign answer = request_valid_i && request_eop_i && !request_err_i;
  assign request_ready_o = generator_ready || !request_eop_i || request_err_i;

  always_comb begin
    status = tlp_pkg::STATUS_UR;
    if (is_config) status = tlp_pkg::STATUS_SC;
    else if (violation) status = tlp_pkg::STATUS_CA;
  end

  always_ff @(posedge clk_i) violation_q <= violation;

  assign cfg_function_o = config_i;
  assign cfg_valid_o = answer && generator_ready && is_config;
  assign cfg_write_o = request_hdr_i[126];
  assign cfg_register_o = request_hdr_i[43:34];
  assign cfg_enables_o = request_hdr_i[67:64];
  assign cfg_wdata_o = request_data_i;
  assign cfg_target_o = request_hdr_i[63:48];

  tlp_completion_generator #(
      .DATA_W(DATA_W)
  ) u_generator (
      .clk_i                    (clk_i),
      .rst_i                    (rst_i),
      .request_valid_i          (answer),
      .request_ready_o          (generator_ready),
      .request_hdr_i            (request_hdr_i),
      .request_status_i         (status),
      .request_with_data_i      (is_config && !cfg_write_o),
      .request_data_i           (cfg_rdata_i),
      .request_completer_i      (is_config ? cfg_target_o : id_i),
      .completion_valid_o       (completion_valid_o),
      .completion_ready_i       (completion_ready_i),
      .completion_sop_o         (completion_sop_o),
      .completion_eop_o         (completion_eop_o),
      .completion_data_o        (completion_data_o),
      .completion_empty_o       (completion_empty_o),
      .completion_hdr_o         (completion_hdr_o),
      .completion_prefix_o      (completion_prefix_o),
      .completion_prefix_valid_o(completion_prefix_valid_o),
      .completion_err_o         (completion_err_o)
  );

endmodule
`default_nettype wire
