// Logs what the IOMMU reports of itself (docs/interfaces.md section 6): completed commands, fault records, interrupt wires.
module iommu_event_monitor (
    input bit          clk_i,
    input logic        rst_i,
    input bit [63:0]   cycle_i,
    input logic        command_i,
    input logic [63:0] command_w0_i,
    input logic [63:0] command_w1_i,
    input logic        fault_i,
    input logic [15:0] wire_i
);
  import "DPI-C" context function void sluicegate_command(input longint cycle, input longint dword0, input longint dword1);
  import "DPI-C" context function void sluicegate_fault(input longint cycle);
  import "DPI-C" context function void sluicegate_wires(input longint cycle, input int lines);

  bit [15:0] wires = 16'd0;

  always @(posedge clk_i) begin
    if (!rst_i) begin
      if (command_i) sluicegate_command(cycle_i, command_w0_i, command_w1_i);
      if (fault_i) sluicegate_fault(cycle_i);
      if (wire_i != wires) sluicegate_wires(cycle_i, 32'(wire_i));
      wires <= wire_i;
    end
  end
endmodule
