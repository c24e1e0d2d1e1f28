`default_nettype none
// Interrupts (ipsr, icvec, msi_cfg_tbl): wires while fctl.WSI = 1, else one memory write for each rise of an ipsr bit. A masked vector
// stays pending until it is unmasked. A failed write is reported as fault 273 without a transaction.
module iommu_interrupt #(
    // Derived: bits of an access (iommu_memory_arbiter.v).
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                               clk_i,
    input  wire                               rst_i,

    // fctl.WSI and BE, iommu_qosid, page number bits beyond the physical address size.
    input  wire                               wired_i,
    input  wire                               big_endian_i,
    input  wire [23:0]                        qos_i,
    input  wire [43:0]                        beyond_i,

    // ipsr {pip, pmip, fip, cip}, icvec, configuration table flat by vector: {mask, data[31:0], address[55:0]}.
    input  wire [3:0]                         pending_i,
    input  wire [15:0]                        vectors_i,
    input  wire [16*89-1:0]                   table_i,

    // Level-triggered wires.
    output wire [15:0]                        wire_o,

    // Fault 273 (fault_t).
    output wire                               fault_valid_o,
    input  wire                               fault_ready_i,
    output wire [iommu_spec_pkg::FAULT_W-1:0] fault_o,

    // Memory.
    output wire                               mem_valid_o,
    input  wire                               mem_ready_i,
    output wire [ACCESS_W-1:0]                mem_access_o,
    input  wire                               mem_rsp_valid_i,
    input  wire [7:0]                         mem_rsp_err_i
);
  `include "iommu_records.vh"

  typedef enum logic [2:0] {
    IDLE,      // waits for an unmasked pending vector
    LOAD,      // reads its entry of the table
    CHECK,     // is its address in memory
    REQUEST,   // presents the write
    RESPONSE,  // waits until it is visible
    FAULT      // presents fault 273
  } state_t;

  state_t      state_d, state_q;
  logic [3:0]  seen_q;
  logic [15:0] waiting_d, waiting_q;
  logic [3:0]  vector_d, vector_q;
  logic [15:0] wires, raised, masked, ready, chosen;

  wire [88:0] entry = table_i[89*vector_q +: 89];

  // The message of the vector; the response of the cycle before.
  logic [55:0] address_q;
  logic [31:0] data_q;
  logic        answered_q, refused_q;
  wire         beyond = (address_q[55:12] & beyond_i) != '0;

  always_comb begin
    wires = '0;
    raised = '0;
    for (int i = 0; i < 4; i++) begin
      if (pending_i[i]) wires = wires | (16'd1 << vectors_i[4*i +: 4]);
      if (pending_i[i] && !seen_q[i]) raised = raised | (16'd1 << vectors_i[4*i +: 4]);
    end
    for (int i = 0; i < 16; i++) masked[i] = table_i[89*i + 88];
    ready = waiting_q & ~masked;
    chosen = ready & (~ready + 1'b1);
  end

  always_comb begin
    state_d = state_q;
    vector_d = vector_q;
    waiting_d = waiting_q;
    case (state_q)
      IDLE: begin
        vector_d = '0;
        for (int i = 0; i < 16; i++) if (chosen[i]) vector_d = vector_d | 4'(i);
        waiting_d = waiting_q & ~chosen;
        if (ready != '0) state_d = LOAD;
      end
      LOAD: state_d = CHECK;
      CHECK: begin
        if (beyond) state_d = FAULT;
        else state_d = REQUEST;
      end
      REQUEST: if (mem_ready_i) state_d = RESPONSE;
      RESPONSE: begin
        if (answered_q && refused_q) state_d = FAULT;
        else if (answered_q) state_d = IDLE;
      end
      FAULT: if (fault_ready_i) state_d = IDLE;
      default: state_d = IDLE;
    endcase
    if (!wired_i) waiting_d = waiting_d | raised;
  end

  fault_t fault;

  always_comb begin
    fault = '0;
    fault.cause = iommu_spec_pkg::CAUSE_MSI_WRITE_ACCESS;
    fault.iotval = {8'd0, address_q};
  end

  always_ff @(posedge clk_i) begin
    state_q <= state_d;
    vector_q <= vector_d;
    waiting_q <= waiting_d;
    seen_q <= pending_i;
    if (state_q == LOAD) {data_q, address_q} <= entry[87:0];
    answered_q <= mem_rsp_valid_i;
    refused_q <= mem_rsp_err_i[0];
    if (rst_i) begin
      state_q <= IDLE;
      waiting_q <= '0;
      seen_q <= '0;
      answered_q <= 1'b0;
    end
  end

  assign wire_o = wired_i ? wires : '0;
  assign fault_valid_o = state_q == FAULT;
  assign fault_o = fault;
  assign mem_valid_o = state_q == REQUEST;
  assign mem_access_o = {iommu_pkg::MEMORY_WRITE, address_q, 7'd4, 224'd0,
                         big_endian_i ? {data_q[7:0], data_q[15:8], data_q[23:16], data_q[31:24]} : data_q, 32'h0000000F, qos_i,
                         2'd0};

`ifdef FORMAL
  // Proof `iommu_interrupt`: a message interrupt is never lost: every rise of an ipsr bit, while interrupts are messages, leads to a
  // write of its vector (or to fault 273), after the vector is unmasked (RISC-V IOMMU, ipsr, msi_cfg_tbl). Any cause, any vector.
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  wire [1:0] f_cause;
  wire [3:0] f_vector;
  formal_constant #(.WIDTH(2)) u_f_cause (.value_o(f_cause));
  formal_constant #(.WIDTH(4)) u_f_vector (.value_o(f_vector));

  // Memory answers what was asked (iommu_memory_arbiter.v).
  logic f_asked_q, f_before_q;
  always_ff @(posedge clk_i) begin
    f_before_q <= pending_i[f_cause] && !rst_i;
    if (mem_valid_o && mem_ready_i) f_asked_q <= 1'b1;
    if (mem_rsp_valid_i || rst_i) f_asked_q <= 1'b0;
  end
  always_comb assume (!mem_rsp_valid_i || f_asked_q);

  // The vector's message is owed: a bit that has it rose, and its write has not been begun since.
  wire f_rises = !wired_i && pending_i[f_cause] && !f_before_q && vectors_i[4*f_cause +: 4] == f_vector;
  wire f_begins = state_q == IDLE && state_d == LOAD && vector_d == f_vector;
  logic f_owed_q;
  always_ff @(posedge clk_i) f_owed_q <= ((f_owed_q && !f_begins) || f_rises) && !rst_i;

  always_comb begin
    if (f_started_q && !rst_i) begin
      owed_is_waiting: assert (!f_owed_q || waiting_q[f_vector]);
      // Idle with a vector that is owed and not masked: a write begins in this cycle.
      serves_at_once: assert (!(state_q == IDLE && f_owed_q && !table_i[89*f_vector + 88]) || state_d == LOAD);
      // A masked vector is never written.
      never_masked: assert (!f_begins || !table_i[89*f_vector + 88]);
      one_access_at_a_time: assert ((state_q == RESPONSE) == (f_asked_q || answered_q) && state_q <= FAULT);
      fault_only_after_an_error: assert (!(state_q != FAULT && state_d == FAULT) || (state_q == CHECK && beyond) ||
          (answered_q && refused_q));
      wires_follow_pending: assert (wired_i ? wire_o[f_vector] || !pending_i[f_cause] || vectors_i[4*f_cause +: 4] != f_vector
                                            : wire_o == '0);
      owed_again_while_written: cover (f_owed_q && state_q == RESPONSE && vector_q == f_vector);
      unmasked_later: cover (f_begins && f_vector == 4'd3 && f_owed_q && waiting_q != 16'd8);
    end
  end
`endif

endmodule
`default_nettype wire
