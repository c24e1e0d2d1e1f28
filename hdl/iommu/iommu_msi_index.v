`default_nettype none
// Interrupt file number of an MSI address: the bits of its page number where the mask is 1, packed towards bit 0 (Process to
// translate addresses of MSIs, step 5: extract). From the highest bit down, BITS of them a cycle; one address at a time.
module iommu_msi_index #(
    // Bits taken per cycle, a divisor of 52.
    parameter int BITS = 4
) (
    input  wire        clk_i,
    input  wire        rst_i,

    // Start, ignored while busy: guest page number and mask.
    input  wire        start_i,
    input  wire [51:0] page_i,
    input  wire [51:0] mask_i,

    // From the cycle after `start_i` until `release_i`: busy; `done_o` with the number, 52 / BITS + 1 cycles after `start_i` at the
    // earliest.
    output wire        busy_o,
    output wire        done_o,
    output wire [51:0] index_o,
    input  wire        release_i
);

  localparam int STEPS = 52 / BITS;
  localparam int STEP_W = $clog2(STEPS + 1);

  logic              busy_d, busy_q;
  logic [STEP_W-1:0] left_d, left_q;
  logic [51:0]       page_d, page_q, mask_d, mask_q, index_d, index_q;

  assign busy_o = busy_q;
  assign done_o = busy_q && left_q == '0;
  assign index_o = index_q;

  always_comb begin
    busy_d = busy_q;
    left_d = left_q;
    page_d = page_q << BITS;
    mask_d = mask_q << BITS;
    index_d = index_q;
    for (int i = 51; i >= 52 - BITS; i--) if (mask_q[i]) index_d = {index_d[50:0], page_q[i]};
    if (left_q != '0) left_d = left_q - 1'b1;
    else index_d = index_q;
    if (release_i) busy_d = 1'b0;
    // What is worked on is taken in every cycle in which nothing is, started or not.
    if (!busy_q) begin
      busy_d = start_i;
      left_d = STEP_W'(STEPS);
      page_d = page_i;
      mask_d = mask_i;
      index_d = '0;
    end
  end

  always_ff @(posedge clk_i) begin
    busy_q <= busy_d;
    left_q <= left_d;
    page_q <= page_d;
    mask_q <= mask_d;
    index_q <= index_d;
    if (rst_i) begin
      busy_q <= 1'b0;
      left_q <= '0;
    end
  end

  generate
    if (BITS < 1 || 52 % BITS != 0) begin : g_check_bits
      initial $fatal(1, "iommu_msi_index: BITS must divide 52");
    end
  endgenerate

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) assert (!release_i || done_o) else $error("iommu_msi_index: released before it was done");
  end
`endif

endmodule
`default_nettype wire
