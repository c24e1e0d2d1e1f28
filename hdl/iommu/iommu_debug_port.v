`default_nettype none
// Debug translation port (tr_req_iova, tr_req_ctl, tr_response): one untranslated request at a time, by software, through the request
// pipeline like one of a device. It enters in a cycle without a device request, after PATIENCE busy cycles before one. Everything
// reads 0 without capabilities.DBG. Writes while a request is under way are ignored.
module iommu_debug_port #(
    // Cycles for which requests of devices go first.
    parameter int PATIENCE = 15
) (
    input  wire                                   clk_i,
    input  wire                                   rst_i,

    // capabilities.DBG.
    input  wire                                   present_i,

    // Registers (iommu_registers.v): address, data, writes of the low and high half, once per access. `rdata_o` is combinational in
    // the address, 0 at addresses of others.
    input  wire [11:0]                            reg_address_i,
    input  wire [63:0]                            reg_wdata_i,
    input  wire                                   write_lo_i,
    input  wire                                   write_hi_i,
    output wire [63:0]                            rdata_o,

    // Request (request_t); `request_urgent_o`: devices wait.
    output wire                                   request_valid_o,
    output wire                                   request_urgent_o,
    input  wire                                   request_ready_i,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]   request_o,

    // Its response (response_t), always accepted.
    input  wire                                   response_valid_i,
    input  wire [iommu_spec_pkg::RESPONSE_W-1:0]  response_i
);
  `include "iommu_records.vh"

  localparam [8:0] TR_REQ_IOVA = 9'h04B;
  localparam [8:0] TR_REQ_CTL = 9'h04C;
  localparam [8:0] TR_RESPONSE = 9'h04D;
  localparam int   PATIENCE_W = $clog2(PATIENCE + 1);

  typedef enum logic [1:0] {
    IDLE,     // waits for Go
    REQUEST,  // presents the request
    RESPONSE  // waits for its response, and works it in the cycle after
  } state_t;

  state_t                state_d, state_q;
  logic [51:0]           page_d, page_q;
  logic                  priv_d, priv_q, exec_d, exec_q, nw_d, nw_q, pv_d, pv_q;
  logic [19:0]           pid_d, pid_q;
  logic [23:0]           did_d, did_q;
  logic                  fault_d, fault_q, size_d, size_q;
  logic [1:0]            pbmt_d, pbmt_q;
  logic [43:0]           ppn_d, ppn_q;
  logic [PATIENCE_W-1:0] patience_d, patience_q;
  request_t              request;
  response_t             response;

  // The response of the cycle before.
  logic        answered_q, refused_q;
  logic [5:0]  range_q;   // log2 of its size
  logic [1:0]  type_q;
  logic [43:0] frame_q;

  wire [8:0]  word = reg_address_i[11:3];
  wire [31:0] lo = reg_wdata_i[31:0];
  wire [31:0] hi = reg_wdata_i[63:32];
  wire        write_lo = write_lo_i && present_i && state_q == IDLE;
  wire        write_hi = write_hi_i && present_i && state_q == IDLE;

  assign response = response_i;

  // A range larger than 4 KiB is named by S and trailing ones, its highest bit 0.
  wire [43:0] range = (44'd1 << (range_q - 6'd12)) - 44'd1;

  always_comb begin
    state_d = state_q;
    page_d = page_q;
    {priv_d, exec_d, nw_d, pv_d} = {priv_q, exec_q, nw_q, pv_q};
    pid_d = pid_q;
    did_d = did_q;
    fault_d = fault_q;
    size_d = size_q;
    pbmt_d = pbmt_q;
    ppn_d = ppn_q;
    if (word == TR_REQ_IOVA) begin
      if (write_lo) page_d[19:0] = lo[31:12];
      if (write_hi) page_d[51:20] = hi;
    end
    if (word == TR_REQ_CTL) begin
      if (write_lo) {pid_d, nw_d, exec_d, priv_d} = {lo[31:12], lo[3:1]};
      if (write_hi) {did_d, pv_d} = {hi[31:8], hi[0]};
    end
    case (state_q)
      IDLE: if (word == TR_REQ_CTL && write_lo && lo[0]) state_d = REQUEST;
      REQUEST: if (request_ready_i) state_d = RESPONSE;
      RESPONSE: begin
        if (answered_q) begin
          state_d = IDLE;
          fault_d = refused_q;
          size_d = !refused_q && range_q != 6'd12;
          pbmt_d = refused_q ? 2'd0 : type_q;
          ppn_d = refused_q ? 44'd0 : (frame_q & ~range) | (range >> 1);
        end
      end
      default: state_d = IDLE;
    endcase
    patience_d = PATIENCE_W'(PATIENCE);
    if (state_q == REQUEST && patience_q != '0) patience_d = patience_q - 1'b1;
    else if (state_q == REQUEST) patience_d = '0;
  end

  always_comb begin
    request = '0;
    request.debug = 1'b1;
    request.did = did_q;
    request.pv = pv_q;
    request.pid = pv_q ? pid_q : '0;
    request.priv = pv_q && priv_q;
    request.exec = exec_q;
    request.at = iommu_spec_pkg::AT_UNTRANSLATED;
    request.wr = !nw_q;
    request.iova = {page_q, 12'd0};
  end

  logic [63:0] rdata;

  always_comb begin
    case (word)
      TR_REQ_IOVA: rdata = {page_q, 12'd0};
      TR_REQ_CTL: rdata = {did_q, 7'd0, pv_q, pid_q, 8'd0, nw_q, exec_q, priv_q, state_q != IDLE};
      TR_RESPONSE: rdata = {10'd0, ppn_q, size_q, pbmt_q, 6'd0, fault_q};
      default: rdata = '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    state_q <= state_d;
    page_q <= page_d;
    {priv_q, exec_q, nw_q, pv_q} <= {priv_d, exec_d, nw_d, pv_d};
    pid_q <= pid_d;
    did_q <= did_d;
    fault_q <= fault_d;
    size_q <= size_d;
    pbmt_q <= pbmt_d;
    ppn_q <= ppn_d;
    patience_q <= patience_d;
    answered_q <= response_valid_i;
    refused_q <= response.status != iommu_pkg::RESPONSE_SUCCESS;
    range_q <= response.size;
    type_q <= response.pbmt;
    frame_q <= response.spa[55:12];
    if (rst_i) begin
      state_q <= IDLE;
      answered_q <= 1'b0;
      page_q <= '0;
      {priv_q, exec_q, nw_q, pv_q} <= '0;
      pid_q <= '0;
      did_q <= '0;
      fault_q <= 1'b0;
      size_q <= 1'b0;
      pbmt_q <= '0;
      ppn_q <= '0;
    end
  end

  assign rdata_o = rdata;
  assign request_valid_o = state_q == REQUEST;
  assign request_urgent_o = state_q == REQUEST && patience_q == '0;
  assign request_o = request;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!response_valid_i || (state_q == RESPONSE && !answered_q)) else $error("iommu_debug_port: a response without a request");
    end
  end
`endif

endmodule
`default_nettype wire
